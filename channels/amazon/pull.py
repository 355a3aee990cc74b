"""Searching Amazon's orders page by page, within a budget of one search in one to three minutes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from channels.amazon import cursor as cursors
from channels.amazon import mapping
from channels.amazon.cursor import Cursor
from channels.amazon.orders import OrdersReader, Page, Question
from channels.amazon.settings import AmazonSettings
from channels.base import Pulled, Rejected, RetryLater
from inventory.vocabulary import OrderSeen

PAGES_MAX = 20


class OrderPull:
    """One search: what it asks, what came in, and where the next one begins."""

    def __init__(
        self,
        at: Cursor,
        *,
        seen: Mapping[str, str],
        settings: AmazonSettings,
        now: datetime,
    ) -> None:
        self._settings = settings
        self._seen = seen
        self._began = now
        self._resumed = at
        self._watermark = at.watermark or now - timedelta(days=settings.first_pull_days)
        self._until = at.until
        self._orders: dict[str, OrderSeen] = {}
        self._problems: dict[str, str] = {}
        # Listed orders whose items are not read yet, and what kept us from reading them.
        self._waiting: list[dict[str, Any]] = []
        self._kept: RetryLater | None = None

    async def run(self, reader: OrdersReader) -> Pulled:
        """Ask page after page until the last one, the budget, or the page limit is reached.

        A budget that ends before the first order raises; later it ends the pull early, with what
        came in so far and a watermark that has not moved.
        """
        resumed = self._resumed
        if resumed.waiting and resumed.waiting_as_of is not None:
            await self._take_all(resumed.waiting, resumed.waiting_as_of, reader)
        token, after = resumed.token, resumed.after or self._first_moment()
        asks = token is not None or not resumed.waiting
        for number in range(PAGES_MAX):
            if not asks or self._waiting:
                break
            try:
                page = await reader.page(Question(after=after), token)
            except RetryLater:
                if number == 0 and not self._orders:
                    raise
                return self._stopped(token, after)
            except Rejected:
                if token is None:
                    raise
                # The token is no longer good: the whole question has to be asked again.
                return self._result(cursors.begun_anew(resumed), self._watermark)
            await self._take(page, reader)
            token = page.next_token
            asks = token is not None
        if asks or self._waiting:
            return self._stopped(token, after)
        watermark = max(self._until or self._watermark, self._watermark)
        done = msgspec.structs.replace(cursors.begun_anew(resumed), watermark=watermark)
        return self._result(done, watermark)

    def _first_moment(self) -> str:
        overlap = timedelta(seconds=self._settings.overlap_seconds)
        moment = self._watermark - overlap if self._resumed.watermark else self._watermark
        return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    async def _take(self, page: Page, reader: OrdersReader) -> None:
        asked_at = datetime.now(UTC)
        lag = timedelta(seconds=self._settings.order_visible_lag_seconds)
        as_of = page.until or asked_at - lag
        self._until = self._until or as_of
        await self._take_all(page.orders, min(as_of, asked_at), reader)

    async def _take_all(self, payloads: Any, as_of: datetime, reader: OrdersReader) -> None:
        for payload in payloads:
            try:
                await self._take_order(payload, as_of, reader)
            except mapping.Unreadable as error:
                self._problems[reader.ref_of(payload)] = str(error)

    async def _take_order(self, payload: Any, as_of: datetime, reader: OrdersReader) -> None:
        order_ref, hint = reader.look(payload)
        if self._seen.get(order_ref) == hint:
            return
        if self._kept is None:
            try:
                self._orders[order_ref] = await reader.whole(payload, as_of)
            except RetryLater as error:
                self._kept = error
        if self._kept is not None:
            self._waiting.append(reader.least(payload))

    def _stopped(self, token: str | None, after: str) -> Pulled:
        """Ended in the middle: the next pull goes on from here."""
        if self._kept is not None and not self._orders:
            raise self._kept
        rest = msgspec.structs.replace(
            self._resumed,
            token=token,
            after=after,
            asked_at=self._resumed.asked_at or self._began,
            until=self._until,
            waiting=tuple(self._waiting),
            waiting_as_of=self._until if self._waiting else None,
        )
        return self._result(rest, self._watermark)

    def _result(self, at: Cursor, watermark: datetime) -> Pulled:
        return Pulled(
            orders=tuple(self._orders.values()),
            cursor=cursors.written(at),
            watermark=watermark,
            problems=tuple(self._problems.items()),
        )
