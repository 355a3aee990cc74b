"""One order pull: the search when it is due, and the queue's notices in between."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from channels.amazon import cursor as cursors
from channels.amazon.cursor import Cursor
from channels.amazon.notices import Intake
from channels.amazon.orders import OrdersReader
from channels.amazon.pull import OrderPull
from channels.amazon.queue import NoticeQueue
from channels.amazon.settings import AmazonSettings
from channels.base import ChannelError, Pulled, Throttled
from channels.limits import Budgets

# Pauses between pulls, seconds: with a queue, and of searches while there is need of them.
QUEUE_SECONDS, QUEUE_SECONDS_QUIET = 2.0, 20.0
SEARCH_SECONDS = 4.0
NEVER = datetime.min.replace(tzinfo=UTC)


class OrderIntake:
    """The pulls of one shop. Without a queue every pull is a search, as often as it is asked for.

    With one, a pull visits the queue each time and searches at the search's own pace: quiet every
    one to three minutes, hurried (pulls nearer together than `QUEUE_SECONDS_QUIET`) every four
    seconds, stretched as its bucket runs dry. Notices move no watermark: whether they tell of an
    order's birth is UNCONFIRMED, so only the search says that nothing is missing.
    """

    def __init__(
        self,
        reader: OrdersReader,
        *,
        settings: AmazonSettings,
        budgets: Budgets,
        queue: NoticeQueue | None,
    ) -> None:
        self._reader = reader
        self._settings = settings
        self._budgets = budgets
        self._queue = queue

    async def pull(
        self, cursor: dict[str, Any], *, seen: Mapping[str, str], now: datetime
    ) -> Pulled:
        """What is new. A search or a queue that fails does not take away what the other found."""
        at = cursors.read(cursor, now=now)
        if self._queue is None:
            return await self._search(at, seen=seen, now=now)
        searched = await self._searched(at, seen=seen, now=now)
        after = cursors.read(searched.cursor, now=now) if searched else at
        visit = Intake(self._queue, self._reader, budgets=self._budgets, seen=seen)
        try:
            noticed = await visit.visit(after)
        except ChannelError:
            # Seen at the next pull that does not search; the search is the safety net meanwhile.
            if searched is None:
                raise
            return searched
        after = msgspec.structs.replace(noticed.cursor, pulled_at=now)
        if searched is None:
            found = Pulled(orders=(), cursor={}, watermark=at.watermark or NEVER)
        else:
            found = searched
        # An order that both name: the notice's is read later, and does not lag.
        orders = {order.order_ref: order for order in (*found.orders, *noticed.orders)}
        return msgspec.structs.replace(
            found, orders=tuple(orders.values()), cursor=cursors.written(after)
        )

    async def _search(self, at: Cursor, *, seen: Mapping[str, str], now: datetime) -> Pulled:
        pull = OrderPull(at, seen=seen, settings=self._settings, now=now)
        return await pull.run(self._reader)

    async def _searched(
        self, at: Cursor, *, seen: Mapping[str, str], now: datetime
    ) -> Pulled | None:
        """The search's result, None while it is not due or its budget is used up."""
        level = await self._budgets.level(self._reader.search_endpoint)
        if not self._is_due(at, level, now):
            return None
        timed = msgspec.structs.replace(at, searched_at=now)
        try:
            return await self._search(timed, seen=seen, now=now)
        except Throttled:
            if at.watermark is None:
                raise
            return None

    def _is_due(self, at: Cursor, level: float, now: datetime) -> bool:
        if at.watermark is None or at.searched_at is None or at.searching():
            return True
        pause = self._reader.search_seconds
        hurried = at.pulled_at is not None and now - at.pulled_at < timedelta(
            seconds=QUEUE_SECONDS_QUIET / 2
        )
        if hurried:
            burst = self._budgets.burst(self._reader.search_endpoint)
            pause = min(SEARCH_SECONDS * burst / max(level, 1.0), pause)
        return level >= 1 and now - at.searched_at >= timedelta(seconds=pause)
