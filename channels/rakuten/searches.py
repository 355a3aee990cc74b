"""What Rakuten's searches by order date show: new orders, and open ones that have changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from channels.rakuten.mapping import (
    CANCELLED_PROGRESS,
    LIVE_PROGRESS,
    is_live,
    ordered_day,
    progress_of,
)
from channels.rakuten.orders import SPAN, Found, OrderReader
from channels.rakuten.settings import DAYS_BACK_MAX, RakutenSettings

READ_ORDERS_MAX = 100
PENDING_MAX = 5000
FORGET_EVERY = 30
# A wide search of more calls than this, or of a busy shop, waits until it is no more than this
# share of what may be called.
CHEAP_CALLS = 3
WIDE_SHARE = 0.1
# Between two wide searches new orders are looked for from so long before the last search.
NEAR_SECONDS = 5.0
# Searches reach a little into the future: the shop's clock need not be ours.
AHEAD = timedelta(seconds=60)


class Mark(Struct):
    """Everything before `reach` is in hand once the first `left` pending orders are read."""

    reach: datetime
    left: int


class Cursor(Struct, kw_only=True):
    """What one pull tells the next; order numbers, no buyer's data.

    `reach`: up to when a search found all orders. `count`: pulls so far that searched; `reads`:
    pulls since then that only read. `reread_after`: the last order read anew for changes. `read`:
    orders that were read and need not be in `seen` (parked ones); forgotten now and then, so that
    they get another chance. `pending`: new orders that were found and are still to be read,
    whatever became of them since; oldest search first, `marks` say what each search reached.
    `narrow`: searches since the last wide one, `wide_calls`: what that one took, `wide_reach`: up
    to when it found all orders.
    """

    watermark: datetime | None = None
    reach: datetime | None = None
    count: int = 0
    reads: int = 0
    reread_after: str = ""
    read: list[str] = []
    pending: list[str] = []
    marks: list[Mark] = []
    narrow: int = 0
    wide_calls: int = 0
    wide_reach: datetime | None = None


class Wanted(Struct, kw_only=True):
    """What the searches asked for: orders to read in this order, and why.

    `moved` are orders that we hold in another state than the one in which they were found, or that
    left the list of open orders. `reach` is None where nothing was searched, or not completely.
    """

    new: list[str] = []
    moved: list[str] = []
    reread: list[str] = []
    reach: datetime | None = None


class Searches:
    """The searches of one pull, by order date: Rakuten has no date of the last change."""

    def __init__(
        self,
        reader: OrderReader,
        settings: RakutenSettings,
        cursor: Cursor,
        *,
        seen: Mapping[str, str],
        started: datetime,
    ) -> None:
        self._reader = reader
        self._settings = settings
        self._cursor = cursor
        self._seen = seen
        self._started = started
        self._held = [ref for ref, hint in seen.items() if is_live(hint)]
        self._found: dict[str, None] = dict.fromkeys(cursor.pending)
        self._moved: dict[str, None] = {}
        self._complete = True
        self._calls = 0

    async def run(self) -> Wanted:
        """Search for what this pull is due, and name what to read."""
        cursor = self._cursor
        is_first, wide = cursor.reach is None, self._is_wide()
        if cursor.reach is not None:
            await self._recent(cursor.reach, wide=wide)
        if wide:
            await self._open()
        if not is_first and cursor.count % self._settings.cancelled_search_every == 0:
            await self._cancelled()
        if (cursor.count + 1) % FORGET_EVERY == 0:
            cursor.read = []
        known = {*self._seen, *cursor.read}
        new = [ref for ref in self._found if ref not in known]
        moved = sorted(self._moved)
        reach = self._note(wide=wide, found=len(new))
        reread = self._in_turn(len(new) + len(moved)) if wide or new else []
        return Wanted(new=new, moved=moved, reread=reread, reach=reach)

    def _is_wide(self) -> bool:
        """Whether open orders are searched too, and new ones from long before the last search.

        A big shop has many pages of them, and a busy one has no call to spare. There they wait.
        """
        cursor, settings = self._cursor, self._settings
        if cursor.wide_reach is None:
            return True
        if cursor.narrow + 1 < settings.live_search_every:
            return False
        if cursor.wide_calls <= CHEAP_CALLS and not cursor.pending:
            return True
        waits = cursor.wide_calls * settings.order_seconds / WIDE_SHARE
        return self._started - cursor.wide_reach >= timedelta(seconds=waits)

    def _note(self, *, wide: bool, found: int) -> datetime | None:
        """Note what was searched; up to when all orders were found."""
        cursor = self._cursor
        cursor.count, cursor.reads, cursor.narrow = cursor.count + 1, 0, cursor.narrow + 1
        if wide:
            cursor.narrow, cursor.wide_calls = 0, self._calls
        if not self._complete or found > PENDING_MAX:
            return None
        reach = self._started - timedelta(seconds=self._settings.order_visible_lag_seconds)
        cursor.reach = max(reach, cursor.reach or reach)
        if wide:
            cursor.wide_reach = cursor.reach
        return cursor.reach

    async def _recent(self, reach: datetime, *, wide: bool) -> None:
        """Orders of any state, from a little before the last search, or the last wide one."""
        overlap = self._settings.overlap_seconds
        since = reach - timedelta(seconds=min(overlap, NEAR_SECONDS))
        if wide:
            since = (self._cursor.wide_reach or reach) - timedelta(seconds=overlap)
        recent = await self._find(max(since, self._started - timedelta(days=DAYS_BACK_MAX)))
        self._found |= dict.fromkeys(recent.refs)
        self._complete = recent.complete

    async def _find(self, begin: datetime, progress: Sequence[int] = ()) -> Found:
        found = await self._reader.find(begin, self._started + AHEAD, progress)
        self._calls += found.calls
        return found

    async def _open(self) -> None:
        """Open orders (100-400): which are new, came back, or have left."""
        begin = self._begin()
        found = await self._find(begin, LIVE_PROGRESS)
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
        found = await self._find(self._begin(), sorted(CANCELLED_PROGRESS))
        for ref in found.refs:
            if ref in self._seen and progress_of(self._seen[ref]) not in CANCELLED_PROGRESS:
                self._moved[ref] = None

    def _begin(self) -> datetime:
        """From when open orders are looked for: as far back as we hold any, within limits."""
        started, settings, reach = self._started, self._settings, self._cursor.reach
        if reach is None:
            return started - timedelta(days=settings.open_order_days)
        days = [day for day in map(ordered_day, self._held) if day is not None]
        begin = min([started - timedelta(hours=settings.window_hours), reach, *days])
        return max(begin, started - SPAN + 2 * AHEAD)

    def _in_turn(self, others: int) -> list[str]:
        """Open orders to read anew: as many as fit beside the others, at no call of their own."""
        room = max(READ_ORDERS_MAX - others, 0)
        refs, after = sorted(set(self._held).difference(self._moved)), self._cursor.reread_after
        turn = [*(ref for ref in refs if ref > after), *(ref for ref in refs if ref <= after)]
        return turn[: min(self._settings.reread_orders_max, room)]
