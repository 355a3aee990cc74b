"""Pulling EC-CUBE's orders by their last change, reading one, and past ones day by day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec

from channels.base import BadAnswer, History, Pulled, Rejected, RetryLater
from channels.eccube import documents, mapping, wire
from channels.eccube.client import EccubeClient
from channels.eccube.settings import EccubeSettings
from inventory.vocabulary import OrderSeen

PAGES_MAX = 40
DAY = timedelta(days=1)
JST = timezone(timedelta(hours=9))
NOT_FOUND = "not found"


class Cursor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the next pull goes on: complete up to `watermark`.

    `since`, `page` and `asked_at` belong to a list that was not read to its end.
    """

    watermark: datetime | None = None
    since: datetime | None = None
    page: int = 1
    asked_at: datetime | None = None


class Round(msgspec.Struct):
    """One list being read: what changed since, as asked for first at `asked_at`."""

    since: datetime
    asked_at: datetime
    page: int = 1


class PastCursor(msgspec.Struct, frozen=True, kw_only=True):
    """The next page of a window of one day."""

    begin: datetime
    page: int


class Orders:
    """The orders of one shop."""

    def __init__(self, client: EccubeClient, settings: EccubeSettings) -> None:
        self._client = client
        self._settings = settings

    async def pull(self, cursor: dict[str, Any], *, seen: Mapping[str, str]) -> Pulled:
        """Orders changed since the watermark − overlap, the latest change first.

        An order that changes while pages are read moves to the first one and pushes the others
        back, so that none of them is missed but those that moved: what changed since the first
        page was asked for is asked for again, until it fits on one page. A failure ends the pull
        with what came in so far, and is raised when that is nothing.
        """
        at = msgspec.convert(cursor, Cursor)
        now = datetime.now(UTC)
        watermark = at.watermark or now - timedelta(days=self._settings.first_pull_days)
        orders: dict[str, OrderSeen] = {}
        problems: dict[str, str] = {}
        reading: Round | None = self._round(at, watermark, now)
        for _ in range(PAGES_MAX):
            if reading is None:
                break
            try:
                more = await self._page(reading, seen, orders, problems)
            except RetryLater:
                if not orders:
                    raise
                break
            if not more and reading.page == 1:
                lag = timedelta(seconds=self._settings.order_visible_lag_seconds)
                watermark = max(reading.asked_at - lag, watermark)
            reading = self._following(reading, more=more)
        return _pulled(orders, problems, watermark, at.watermark, reading)

    def _round(self, at: Cursor, watermark: datetime, now: datetime) -> Round:
        if at.since is not None and at.asked_at is not None:
            return Round(at.since, at.asked_at, at.page)
        overlap = self._settings.overlap_seconds if at.watermark else 0
        return Round(watermark - timedelta(seconds=overlap), now)

    def _following(self, reading: Round, *, more: bool) -> Round | None:
        if more:
            return Round(reading.since, reading.asked_at, reading.page + 1)
        if reading.page > 1:
            # Whole seconds, and how late a change may show; not the overlap, or it would never end.
            late = timedelta(seconds=1 + self._settings.order_visible_lag_seconds)
            return Round(reading.asked_at - late, datetime.now(UTC))
        return None

    async def read(self, order_ref: str) -> OrderSeen | None:
        """One order as it stands now; None where there is none or it lists nothing.

        One that fell back from payment is none either: only a pull knows that it was one before.
        Raises BadAnswer for an order that cannot be read.
        """
        observed_at = datetime.now(UTC)
        try:
            answer = await self._client.ask(documents.ORDER, wire.OrderAnswer, id=order_ref)
        except Rejected as error:
            if NOT_FOUND in str(error):
                return None
            raise
        if answer.order is None:
            return None
        try:
            return mapping.order_from(answer.order, observed_at=observed_at, held=False)
        except mapping.Unreadable as error:
            raise BadAnswer(f"{order_ref}: {error}") from error

    async def history(self, cursor: dict[str, Any], *, since: datetime) -> History:
        """The next page of orders placed since, one day after another.

        Within a day the latest change comes first, as the search has no other order; those that
        cannot be read are left out.
        """
        at = msgspec.convert(cursor, PastCursor) if cursor else PastCursor(begin=since, page=1)
        observed_at = datetime.now(UTC)
        end = min(at.begin + DAY, observed_at)
        answer = await self._client.ask(
            documents.ORDERS,
            wire.OrdersAnswer,
            since=_atom(at.begin),
            until=_atom(end),
            page=at.page,
        )
        found: list[OrderSeen] = []
        for payload in answer.orders.nodes:
            try:
                order = mapping.order_from(payload, observed_at=observed_at, held=False)
            except mapping.Unreadable:
                continue
            if order is not None:
                found.append(order)
        following: PastCursor | None = PastCursor(begin=end, page=1)
        if answer.orders.pageInfo.hasNextPage:
            following = PastCursor(begin=at.begin, page=at.page + 1)
        elif end >= observed_at:
            following = None
        return History(
            orders=tuple(sorted(found, key=lambda order: order.ordered_at)),
            cursor=None if following is None else msgspec.to_builtins(following),
            until=at.begin if answer.orders.pageInfo.hasNextPage else end,
        )

    async def _page(
        self,
        reading: Round,
        seen: Mapping[str, str],
        orders: dict[str, OrderSeen],
        problems: dict[str, str],
    ) -> bool:
        observed_at = datetime.now(UTC)
        status = mapping.ALL_STATUSES if self._settings.count_pending else None
        answer = await self._client.ask(
            documents.ORDERS,
            wire.OrdersAnswer,
            changed=_atom(reading.since),
            status=status,
            page=reading.page,
        )
        for payload in answer.orders.nodes:
            ref = mapping.order_ref_of(payload)
            try:
                order = mapping.order_from(payload, observed_at=observed_at, held=ref in seen)
            except mapping.Unreadable as error:
                problems[ref] = str(error)
                continue
            if order is not None and seen.get(ref) != order.hint:
                orders[ref] = order
        return answer.orders.pageInfo.hasNextPage


def _pulled(
    orders: Mapping[str, OrderSeen],
    problems: Mapping[str, str],
    watermark: datetime,
    before: datetime | None,
    reading: Round | None,
) -> Pulled:
    """`reading` is the list that the next pull goes on with, None at the end."""
    cursor = Cursor(watermark=watermark)
    if reading is not None:
        cursor = Cursor(
            watermark=before,
            since=reading.since,
            page=reading.page,
            asked_at=reading.asked_at,
        )
    return Pulled(
        orders=tuple(orders.values()),
        cursor=msgspec.to_builtins(cursor),
        watermark=watermark,
        problems=tuple(problems.items()),
    )


def _atom(moment: datetime) -> str:
    """As the plugin's DateTimeType reads times: whole seconds with a zone."""
    return moment.astimezone(JST).isoformat(timespec="seconds")
