"""Pulling Shopify's orders by their last change, and reading one whole order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from channels.base import BadAnswer, Pulled, Rejected, RetryLater
from channels.shopify import documents, mapping, wire
from channels.shopify.client import ShopifyClient
from channels.shopify.settings import ShopifySettings
from inventory.vocabulary import OrderSeen

PAGES_MAX = 40
LINE_PAGES_MAX = 20
# How long a list cursor is trusted; no life of one is stated.
CURSOR_LIFE = timedelta(hours=1)
# Times are whole seconds: an order changed so lately may have changed again within that second.
FRESH = timedelta(seconds=5)


class Cursor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the next pull goes on: complete up to `watermark`.

    `after`, `since` and `asked_at` belong to a pull that ran out of points between two pages.
    """

    watermark: datetime | None = None
    after: str | None = None
    since: str | None = None
    asked_at: datetime | None = None


class Orders:
    """The orders of one shop."""

    def __init__(self, client: ShopifyClient, settings: ShopifySettings) -> None:
        self._client = client
        self._settings = settings

    async def pull(self, cursor: dict[str, Any], *, seen: Mapping[str, str]) -> Pulled:
        """Orders changed since the watermark − overlap, oldest change first.

        An order that changes while pages are read moves to the end and is met there. A failure
        ends the pull early with what came in so far, and is raised when that is nothing.
        """
        now = datetime.now(UTC)
        at = _cursor(cursor, now)
        watermark = at.watermark or now - timedelta(days=self._settings.first_pull_days)
        asked_at, after = at.asked_at or now, at.after
        since = at.since or self._since(watermark, first=at.watermark is None)
        orders: dict[str, OrderSeen] = {}
        problems: dict[str, str] = {}
        for number in range(PAGES_MAX):
            try:
                page = await self._page(since, after, seen, orders, problems)
            except RetryLater:
                if number == 0 and not orders:
                    raise
                break
            except Rejected:
                if after is None:
                    raise
                # The list cursor is no longer good: the whole question has to be asked again.
                return _pulled(orders, Cursor(watermark=at.watermark), watermark, problems)
            after = page.end_cursor if page.has_next_page else None
            if after is None:
                lag = timedelta(seconds=self._settings.order_visible_lag_seconds)
                watermark = max(asked_at - lag, watermark)
                return _pulled(orders, Cursor(watermark=watermark), watermark, problems)
        # Without `after` the next pull begins anew; what has come in is known by its hint then.
        rest = Cursor(watermark=at.watermark, after=after, since=since, asked_at=asked_at)
        return _pulled(orders, rest, watermark, problems)

    async def read(self, order_ref: str) -> OrderSeen | None:
        """One order with all of its lines; None where there is none or it lists nothing.

        Raises BadAnswer for an order that cannot be read.
        """
        observed_at = datetime.now(UTC)
        try:
            return await self._whole(order_ref, observed_at)
        except mapping.Unreadable as error:
            raise BadAnswer(f"{order_ref}: {error}") from error

    def _since(self, watermark: datetime, *, first: bool) -> str:
        overlap = timedelta(seconds=0 if first else self._settings.overlap_seconds)
        return (watermark - overlap).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    async def _page(
        self,
        since: str,
        after: str | None,
        seen: Mapping[str, str],
        orders: dict[str, OrderSeen],
        problems: dict[str, str],
    ) -> wire.PageInfo:
        observed_at = datetime.now(UTC)
        answer = await self._client.ask(
            documents.ORDERS,
            wire.OrdersAnswer,
            points=documents.ORDERS_POINTS,
            query=f"updated_at:>='{since}'",
            after=after,
        )
        changed: list[str] = []
        for payload in answer.orders.nodes:
            try:
                listed = mapping.listed_order(payload)
            except mapping.Unreadable as error:
                problems[mapping.order_ref_of(payload)] = str(error)
                continue
            same = seen.get(mapping.order_ref_of(payload)) == mapping.hint_of(listed)
            if not same or listed.updated_at > observed_at - FRESH:
                changed.append(listed.id)
        for start in range(0, len(changed), documents.CHANGED_AT_ONCE):
            ids = changed[start : start + documents.CHANGED_AT_ONCE]
            await self._read_changed(ids, orders, problems)
        return answer.orders.page_info

    async def _read_changed(
        self, ids: Sequence[str], orders: dict[str, OrderSeen], problems: dict[str, str]
    ) -> None:
        observed_at = datetime.now(UTC)
        answer = await self._client.ask(
            documents.CHANGED,
            wire.ChangedAnswer,
            points=documents.CHANGED_POINTS_EACH * len(ids),
            ids=list(ids),
        )
        for payload in answer.nodes:
            if payload is None:
                continue
            try:
                order = await self.seen(payload, observed_at)
            except mapping.Unreadable as error:
                problems[mapping.order_ref_of(payload)] = str(error)
                continue
            if order is not None:
                orders[order.order_ref] = order

    async def seen(self, payload: object, observed_at: datetime) -> OrderSeen | None:
        """An order that came with its first lines, read whole where it has more to tell.

        Raises `mapping.Unreadable`.
        """
        order = mapping.wire_order(payload)
        if order.line_items.page_info.has_next_page or mapping.needs_shipments(order):
            return await self._whole(mapping.order_ref_of(payload), datetime.now(UTC))
        return mapping.order_from(order, order.line_items.nodes, observed_at=observed_at)

    async def _whole(self, order_ref: str, observed_at: datetime) -> OrderSeen | None:
        gid, lines, after = mapping.order_gid(order_ref), list[wire.LineItem](), None
        for _ in range(LINE_PAGES_MAX):
            answer = await self._client.ask(
                documents.ORDER,
                wire.OrderAnswer,
                points=documents.ORDER_POINTS,
                id=gid,
                after=after,
            )
            if answer.order is None:
                return None
            order = mapping.wire_order(answer.order)
            lines += order.line_items.nodes
            if not order.line_items.page_info.has_next_page:
                order.line_items.nodes = lines
                shipped = await self._shipped(gid) if mapping.needs_shipments(order) else None
                return mapping.order_from(order, lines, observed_at=observed_at, shipped=shipped)
            after = order.line_items.page_info.end_cursor
        raise mapping.Unreadable(f"the order has more than {len(lines)} lines")

    async def _shipped(self, gid: str) -> dict[str, int]:
        answer = await self._client.ask(
            documents.SHIPPED, wire.ShippedAnswer, points=documents.SHIPPED_POINTS, id=gid
        )
        return mapping.shipped_units(answer)


def _cursor(cursor: dict[str, Any], now: datetime) -> Cursor:
    at = msgspec.convert(cursor, Cursor)
    if at.after is None or at.asked_at is None or now - at.asked_at > CURSOR_LIFE:
        return Cursor(watermark=at.watermark)
    return at


def _pulled(
    orders: Mapping[str, OrderSeen],
    cursor: Cursor,
    watermark: datetime,
    problems: Mapping[str, str],
) -> Pulled:
    return Pulled(
        orders=tuple(orders.values()),
        cursor=msgspec.to_builtins(cursor),
        watermark=watermark,
        problems=tuple(problems.items()),
    )
