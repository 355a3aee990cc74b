"""What Yahoo!'s lists show: orders that are new, and orders that have changed, a page at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from channels.yahoo.client import PAGE_ORDERS, YahooClient
from channels.yahoo.mapping import Listed, ordered_at_of, state_of
from channels.yahoo.settings import WINDOW_HOURS_MAX, YahooSettings

SECOND = timedelta(seconds=1)
# Lists reach a little into the future: the store's clock need not be ours.
AHEAD = timedelta(seconds=60)
# Orders that a cursor carries: at most so many, and only in the first pulls.
WAITING_MAX = 5000
CHANGED_MAX = 500

Problems = list[tuple[str, str]]


class Cursor(Struct, kw_only=True):
    """What one pull tells the next; no buyer's data, only order numbers and hints.

    `began_at`: start of the very first pull; orders placed before and finished by then move no
    stock. `reach`: every order placed before it was listed. `scan_from`: where a search for new
    orders goes on that stopped part way, None when it came to its end. `opening`: the first search
    is still under way. `waiting`, `changed`: orders found and still to be read, with their hints in
    the list. `read`: hints of orders read that need not be in `seen` (parked or malformed ones);
    forgotten now and then, so that they get another chance. `sweep_begin`, `sweep_start`: the sweep
    under way and its next position. `counted`: what orderCount said last, `listed_at`: when
    orderList was last asked for new orders.
    """

    watermark: datetime | None = None
    began_at: datetime | None = None
    count: int = 0
    reread_after: str = ""
    reach: datetime | None = None
    scan_from: datetime | None = None
    opening: bool = True
    waiting: dict[str, str] = {}
    changed: dict[str, str] = {}
    read: dict[str, str] = {}
    sweep_begin: datetime | None = None
    sweep_start: int = 1
    counted: str = ""
    listed_at: datetime | None = None

    def prune(self, seen: Mapping[str, str]) -> None:
        """Drop what is no longer to be read, as it has been read meanwhile."""
        known = {**self.read, **seen}
        self.waiting = {ref: hint for ref, hint in self.waiting.items() if ref not in known}
        self.changed = {
            ref: hint for ref, hint in self.changed.items() if self.is_changed(ref, hint, seen)
        }

    def is_changed(self, ref: str, hint: str, seen: Mapping[str, str]) -> bool:
        """Whether the list shows an order as neither our books nor the last reading of it do."""
        last = self.read.get(ref)
        known = seen.get(ref, last)
        return known is not None and hint != last and _differs(known, hint)

    def is_searched(self, settings: YahooSettings) -> bool:
        """Whether this pull searches for new orders: not while enough known ones are unread."""
        if self.opening:
            return len(self.waiting) <= WAITING_MAX - PAGE_ORDERS
        return len(self.waiting) <= settings.orders_read_max

    def is_list_due(self, settings: YahooSettings, started: datetime) -> bool:
        """Whether orderList must be asked, whatever orderCount says."""
        unfinished = self.waiting or self.changed or self.scan_from is not None
        if unfinished or self.listed_at is None or self.count % settings.sweep_every == 0:
            return True
        return started - self.listed_at >= timedelta(seconds=settings.list_seconds)


async def look(
    client: YahooClient,
    settings: YahooSettings,
    cursor: Cursor,
    *,
    seen: Mapping[str, str],
    started: datetime,
) -> Problems:
    """Search for new orders, and now and then sweep a page of the window for changed ones.

    What is found goes into the cursor. Returns the rows that cannot be read.
    """
    problems: Problems = []
    is_first = cursor.reach is None
    if cursor.is_searched(settings):
        cursor.listed_at = started
        problems = await _search(client, settings, cursor, seen=seen, started=started)
    room = len(cursor.waiting) <= WAITING_MAX - 2 * PAGE_ORDERS
    if not is_first and room and cursor.count % settings.sweep_every == 0:
        await _sweep(client, settings, cursor, seen=seen, started=started)
    return problems


async def _search(
    client: YahooClient,
    settings: YahooSettings,
    cursor: Cursor,
    *,
    seen: Mapping[str, str],
    started: datetime,
) -> Problems:
    """List pages until there is enough to read; the next pull goes on at that moment.

    Between pulls it goes on by time and not by position, so that rows that come or leave do not
    move others past it. Times are whole seconds, so the last one is listed again.
    """
    begin, start, total, shrunk = _begin(settings, cursor, started), 1, 0, False
    sure = started - timedelta(seconds=settings.order_visible_lag_seconds)
    ended, latest, problems = False, begin, list[tuple[str, str]]()
    for _ in range(settings.list_pages_max):
        page = await client.list_orders(begin, started + AHEAD, start=start)
        problems += page.problems
        # Rows that leave the list while it is paged move others to a page already read.
        shrunk, total = shrunk or page.total < total, page.total
        latest = max([latest, *(row.ordered_at for row in page.rows)])
        _add(cursor, page.rows, seen=seen)
        start += PAGE_ORDERS
        ended = start > total
        if ended or (not cursor.opening and (cursor.waiting or cursor.changed)):
            break
        if not cursor.is_searched(settings):
            break
    cursor.scan_from, reached = max(begin, min(latest, sure) - SECOND), begin
    if shrunk:
        cursor.scan_from = begin
    elif ended:
        cursor.scan_from, cursor.opening, reached = None, False, sure
    else:
        reached = max(begin, cursor.scan_from - SECOND)
    cursor.reach = max(reached, cursor.reach or reached)
    return problems


def _begin(settings: YahooSettings, cursor: Cursor, started: datetime) -> datetime:
    if cursor.scan_from is not None:
        return cursor.scan_from
    if cursor.reach is not None:
        return cursor.reach - timedelta(seconds=settings.overlap_seconds)
    # At first all that may still be open: it holds units of the count that we begin with.
    return started - timedelta(days=max(settings.open_order_days, settings.window_hours / 24))


def _add(cursor: Cursor, rows: Iterable[Listed], *, seen: Mapping[str, str]) -> None:
    known = {**cursor.read, **seen}
    for row in rows:
        if row.order_ref not in known:
            if _counts(row, cursor):
                cursor.waiting.setdefault(row.order_ref, row.hint)
        elif cursor.is_changed(row.order_ref, row.hint, seen) and len(cursor.changed) < CHANGED_MAX:
            cursor.changed[row.order_ref] = row.hint


async def _sweep(
    client: YahooClient,
    settings: YahooSettings,
    cursor: Cursor,
    *,
    seen: Mapping[str, str],
    started: datetime,
) -> None:
    if cursor.sweep_begin is None:
        held = [ordered_at_of(hint) for hint in seen.values() if state_of(hint) == "live"]
        window = started - timedelta(hours=settings.window_hours)
        oldest = min([window, *(moment for moment in held if moment is not None)])
        cursor.sweep_begin = max(oldest, started - timedelta(hours=WINDOW_HOURS_MAX))
        cursor.sweep_start = 1
    page = await client.list_orders(cursor.sweep_begin, started, start=cursor.sweep_start)
    cursor.sweep_start += PAGE_ORDERS
    if cursor.sweep_start > page.total:
        cursor.sweep_begin = None
    # An older order that is over and not in hand was over before we came; the search finds those
    # placed since it ended.
    reach = cursor.reach or started
    rows = [row for row in page.rows if row.order_ref in seen or _is_late(row, reach)]
    _add(cursor, rows, seen=seen)


def _is_late(row: Listed, reach: datetime) -> bool:
    return _is_live(row) and row.ordered_at < reach


def _counts(row: Listed, cursor: Cursor) -> bool:
    # Times are whole seconds: an order of the second in which we began may be one of ours.
    began_at = cursor.began_at
    return _is_live(row) or began_at is None or row.ordered_at >= began_at - SECOND


def _is_live(row: Listed) -> bool:
    return state_of(row.hint) == "live"


def _differs(known: str, listed: str) -> bool:
    # Of a finished order only its end matters: shipped and then arrived is the same to us.
    if state_of(known) == "live":
        return known != listed
    return state_of(known) != state_of(listed)
