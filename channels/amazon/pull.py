"""Pulling Amazon's orders page by page, within a budget of one search in three minutes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from channels.amazon import mapping, wire
from channels.amazon.client import AmazonClient
from channels.amazon.settings import AmazonSettings
from channels.base import Pulled, Rejected, RetryLater
from inventory.vocabulary import OrderSeen

PAGES_MAX = 20
# A page token dies after 24 hours (Orders API 2026-01-01, paginationToken).
TOKEN_LIFE = timedelta(hours=23)


class Cursor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the next pull goes on.

    `watermark`: complete up to here. The others belong to a pull that ran out of budget between
    two pages: the next page's `token`, its question's `after`, when that was first asked, and the
    watermark that its last page will earn (`until`).
    """

    watermark: datetime | None = None
    token: str | None = None
    after: str | None = None
    asked_at: datetime | None = None
    until: datetime | None = None


class OrderPull:
    """One pull: what it asks, what came in, and where the next one begins."""

    def __init__(
        self,
        cursor: dict[str, Any],
        *,
        seen: Mapping[str, str],
        settings: AmazonSettings,
        now: datetime,
    ) -> None:
        at = msgspec.convert(cursor, Cursor)
        if at.token is None or at.asked_at is None or now - at.asked_at > TOKEN_LIFE:
            at = Cursor(watermark=at.watermark)
        self._settings = settings
        self._seen = seen
        self._began = now
        self._resumed = at
        self._watermark = at.watermark or now - timedelta(days=settings.first_pull_days)
        self._until = at.until
        self._orders: dict[str, OrderSeen] = {}
        self._problems: dict[str, str] = {}

    async def run(self, client: AmazonClient) -> Pulled:
        """Read pages until the last one, or until the budget is used up.

        Raises what the first page raises; later pages that fail end the pull early, with what
        came in so far and a watermark that has not moved.
        """
        token, after = self._resumed.token, self._resumed.after or self._first_moment()
        for number in range(PAGES_MAX):
            asked_at = datetime.now(UTC)
            try:
                page = await client.search_orders(after=after, token=token)
            except RetryLater:
                if number == 0:
                    raise
                break
            except Rejected:
                if token is None:
                    raise
                # The token is no longer good: the whole question has to be asked again.
                return self._result(Cursor(watermark=self._resumed.watermark), self._watermark)
            self._take(page, asked_at)
            token = page.pagination.next_token if page.pagination else None
            if not token:
                watermark = max(self._until or self._watermark, self._watermark)
                return self._result(Cursor(watermark=watermark), watermark)
        rest = Cursor(
            watermark=self._resumed.watermark,
            token=token,
            after=after,
            asked_at=self._resumed.asked_at or self._began,
            until=self._until,
        )
        return self._result(rest, self._watermark)

    def _first_moment(self) -> str:
        overlap = timedelta(seconds=self._settings.overlap_seconds)
        moment = self._watermark - overlap if self._resumed.watermark else self._watermark
        return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _take(self, page: wire.OrdersPage, asked_at: datetime) -> None:
        lag = timedelta(seconds=self._settings.order_visible_lag_seconds)
        as_of = page.last_updated_before or asked_at - lag
        self._until = self._until or as_of
        for payload in page.orders:
            self._take_order(payload, min(as_of, asked_at))

    def _take_order(self, payload: object, as_of: datetime) -> None:
        try:
            order = mapping.order_from(
                payload,
                observed_at=as_of,
                pending_cancellable=self._settings.pending_cancellable,
                listed=True,
            )
        except mapping.Unreadable as error:
            self._problems[mapping.order_ref_of(payload)] = str(error)
            return
        if self._seen.get(order.order_ref) != order.hint:
            self._orders[order.order_ref] = order

    def _result(self, cursor: Cursor, watermark: datetime) -> Pulled:
        return Pulled(
            orders=tuple(self._orders.values()),
            cursor=msgspec.to_builtins(cursor),
            watermark=watermark,
            problems=tuple(self._problems.items()),
        )
