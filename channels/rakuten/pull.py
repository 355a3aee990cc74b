"""Which Rakuten orders to read in one pull, within one call a second, and how far we then know."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from channels.base import Pulled, RetryLater
from channels.rakuten.mapping import (
    CANCELLED_PROGRESS,
    LIVE_PROGRESS,
    MalformedOrder,
    is_live,
    order_from,
    ordered_day,
    progress_of,
)
from channels.rakuten.orders import SPAN, OrderReader, head
from channels.rakuten.settings import DAYS_BACK_MAX, RakutenSettings
from inventory.vocabulary import OrderSeen

READ_ORDERS_MAX = 100
REMEMBERED_MAX = 1000
PENDING_MAX = 5000
FORGET_EVERY = 30
# Searches reach a little into the future: the shop's clock need not be ours.
AHEAD = timedelta(seconds=60)


class Cursor(Struct, kw_only=True):
    """What one pull tells the next.

    `count`: pulls so far. `reread_after`: the last order read anew for changes. `read`: orders
    that were read and need not be in `seen` (parked ones); forgotten now and then, so that they
    get another chance. `pending`: orders of the first pull that are still to be read, whatever
    became of them since.
    """

    watermark: datetime | None = None
    count: int = 0
    reread_after: str = ""
    read: list[str] = []
    pending: list[str] = []


class Wanted(Struct, kw_only=True):
    """What the searches asked for: orders to read in this order, and why.

    `moved` are orders that we hold in another state than the one in which they were found, or that
    left the list of open orders.
    """

    new: list[str] = []
    moved: list[str] = []
    reread: list[str] = []
    complete: bool = True


class Reading(Struct, kw_only=True):
    """What the reading functions gave; `left` are new orders that are still to be read."""

    orders: list[OrderSeen]
    problems: list[tuple[str, str]]
    left: int
    done: set[str]


async def pull(
    reader: OrderReader,
    settings: RakutenSettings,
    cursor: dict[str, Any],
    *,
    seen: Mapping[str, str],
    now: Callable[[], datetime],
) -> Pulled:
    """One pull. New orders of any state since the last watermark; now and then the open ones.

    An order that we hold as open and that left the list of open orders is read, as are some open
    ones in turn. The watermark stays where it was while a new order is left unread. The first pull
    takes open orders only: what was finished before we came moves no stock.
    """
    last, started = _cursor_from(cursor), now()
    wanted = await Searches(reader, settings, last, seen=seen, started=started).run()
    reading = await _read(reader, settings, wanted, seen=seen, now=now)
    held_back = reading.left or not wanted.complete
    oldest = started - timedelta(days=settings.open_order_days)
    lag = timedelta(seconds=settings.order_visible_lag_seconds)
    watermark = (last.watermark or oldest) if held_back else started - lag
    count = last.count + 1
    remembered = [] if count % FORGET_EVERY == 0 else last.read
    remembered = [*remembered, *(ref for ref in wanted.new if ref in reading.done)]
    following = Cursor(
        watermark=last.watermark if held_back else watermark,
        count=count,
        reread_after=wanted.reread[-1] if wanted.reread else last.reread_after,
        read=remembered[-REMEMBERED_MAX:],
        pending=[ref for ref in wanted.new if ref not in reading.done][:PENDING_MAX],
    )
    return Pulled(
        orders=tuple(reading.orders),
        cursor=msgspec.to_builtins(following),
        watermark=watermark,
        problems=tuple(reading.problems),
    )


def _cursor_from(cursor: dict[str, Any]) -> Cursor:
    try:
        return msgspec.convert(cursor, Cursor)
    except msgspec.ValidationError:
        return Cursor()  # another version's cursor: begin as at first, nothing is lost by that


class Searches:
    """The searches of one pull, by order date: Rakuten has no date of the last change."""

    def __init__(
        self,
        reader: OrderReader,
        settings: RakutenSettings,
        last: Cursor,
        *,
        seen: Mapping[str, str],
        started: datetime,
    ) -> None:
        self._reader = reader
        self._settings = settings
        self._last = last
        self._seen = seen
        self._started = started
        self._held = [ref for ref, hint in seen.items() if is_live(hint)]
        self._found: dict[str, None] = dict.fromkeys(last.pending)
        self._moved: dict[str, None] = {}
        self._complete = True

    async def run(self) -> Wanted:
        """Search for what this pull is due, and name what to read."""
        last, settings = self._last, self._settings
        if last.watermark is not None:
            await self._recent(last.watermark)
        live_due = last.watermark is None or last.count % settings.live_search_every == 0
        if live_due:
            await self._open()
        if last.watermark is not None and last.count % settings.cancelled_search_every == 0:
            await self._cancelled()
        known = {*self._seen, *last.read}
        new = [ref for ref in self._found if ref not in known]
        moved = sorted(self._moved)
        reread = self._in_turn(len(new) + len(moved)) if live_due or new else []
        return Wanted(new=new, moved=moved, reread=reread, complete=self._complete)

    async def _recent(self, watermark: datetime) -> None:
        """Orders of any state, from a little before the last watermark."""
        earliest = self._started - timedelta(days=DAYS_BACK_MAX)
        since = watermark - timedelta(seconds=self._settings.overlap_seconds)
        recent = await self._reader.find(max(since, earliest), self._started + AHEAD)
        self._found |= dict.fromkeys(recent.refs)
        self._complete = recent.complete

    async def _open(self) -> None:
        """Open orders (100-400): which are new, came back, or have left."""
        begin = self._begin()
        found = await self._reader.find(begin, self._started + AHEAD, LIVE_PROGRESS)
        self._found |= dict.fromkeys(found.refs)
        self._complete = self._complete and found.complete
        # Orders that may lie outside the search's window did not vanish from it.
        days = {ref: ordered_day(ref) for ref in self._held}
        before = {ref for ref, day in days.items() if day is not None and day < begin}
        self._moved |= dict.fromkeys(set(self._held).difference(found.refs, before))
        # A cancellation may be withdrawn.
        for ref in found.refs:
            if ref in self._seen and progress_of(self._seen[ref]) not in LIVE_PROGRESS:
                self._moved[ref] = None

    async def _cancelled(self) -> None:
        """Cancelled orders (800, 900) that we hold as anything else, shipped ones above all."""
        found = await self._reader.find(
            self._begin(), self._started + AHEAD, sorted(CANCELLED_PROGRESS)
        )
        for ref in found.refs:
            if ref in self._seen and progress_of(self._seen[ref]) not in CANCELLED_PROGRESS:
                self._moved[ref] = None

    def _begin(self) -> datetime:
        """From when open orders are looked for: as far back as we hold any, within limits."""
        started, settings, watermark = self._started, self._settings, self._last.watermark
        if watermark is None:
            return started - timedelta(days=settings.open_order_days)
        days = [day for day in map(ordered_day, self._held) if day is not None]
        begin = min([started - timedelta(hours=settings.window_hours), watermark, *days])
        return max(begin, started - SPAN + 2 * AHEAD)

    def _in_turn(self, others: int) -> list[str]:
        """Open orders to read anew: as many as fit beside the others, at no call of their own."""
        room = READ_ORDERS_MAX - others % READ_ORDERS_MAX
        refs, after = sorted(set(self._held).difference(self._moved)), self._last.reread_after
        turn = [*(ref for ref in refs if ref > after), *(ref for ref in refs if ref <= after)]
        return turn[: min(self._settings.reread_orders_max, room)]


async def _read(
    reader: OrderReader,
    settings: RakutenSettings,
    wanted: Wanted,
    *,
    seen: Mapping[str, str],
    now: Callable[[], datetime],
) -> Reading:
    refs = list(dict.fromkeys([*wanted.new, *wanted.moved, *wanted.reread]))
    reading = Reading(orders=[], problems=[], left=0, done=set())
    for call in range(min(settings.read_calls_max, -(-len(refs) // READ_ORDERS_MAX))):
        batch = refs[call * READ_ORDERS_MAX : (call + 1) * READ_ORDERS_MAX]
        observed_at = now()
        try:
            raws = await reader.read(batch)
        except RetryLater:
            if not reading.done:
                raise
            break  # what was read counts; the rest is for the next pull
        _take(reading, raws, batch, seen=seen, observed_at=observed_at)
    reading.left = len(set(wanted.new) - reading.done)
    return reading


def _take(
    reading: Reading,
    raws: Sequence[msgspec.Raw],
    batch: Sequence[str],
    *,
    seen: Mapping[str, str],
    observed_at: datetime,
) -> None:
    answered: set[str] = set()
    for raw in raws:
        ref = head(raw).ref
        answered.add(ref)
        try:
            order = order_from(raw, observed_at=observed_at)
        except MalformedOrder as malformed:
            reading.problems.append((ref, str(malformed)))
            continue
        if seen.get(ref) != order.hint:
            reading.orders.append(order)
    reading.done |= answered
    for ref in batch:
        if ref not in answered:
            reading.problems.append((ref, "the reading left it out"))
