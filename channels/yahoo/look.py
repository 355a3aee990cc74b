"""What Yahoo!'s lists show in one pull: orders that are new, and orders that have changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from channels.yahoo.client import PAGE_ORDERS, YahooClient
from channels.yahoo.mapping import Listed, ordered_at_of, state_of
from channels.yahoo.settings import WINDOW_HOURS_MAX, YahooSettings

SWEEP_LATER = 4
SECOND = timedelta(seconds=1)
# Lists reach a little into the future: the store's clock need not be ours.
AHEAD = timedelta(seconds=60)


class Cursor(Struct, kw_only=True):
    """What one pull tells the next.

    `began_at`: start of the very first pull; orders placed before and finished by then move no
    stock. `pending`: orders of that time that were live then and are still to be read, whatever
    became of them. `read`: hints of orders read that need not be in `seen` (parked or malformed
    ones); forgotten now and then, so that they get another chance. `sweep_begin`, `sweep_start`:
    the sweep under way and its next position. `counted`: what orderCount said last, `listed_at`:
    when orderList was last asked, `left`: orders that it showed and that are still to be read.
    """

    watermark: datetime | None = None
    began_at: datetime | None = None
    count: int = 0
    reread_after: str = ""
    pending: list[str] = []
    read: dict[str, str] = {}
    sweep_begin: datetime | None = None
    sweep_start: int = 1
    counted: str = ""
    listed_at: datetime | None = None
    left: int = 0


class Look(Struct, kw_only=True):
    """What the lists showed. `until`: nothing placed before it is missing; None: nothing at all."""

    new: list[Listed]
    changed: list[Listed]
    problems: list[tuple[str, str]]
    until: datetime | None = None


async def look(
    client: YahooClient,
    settings: YahooSettings,
    cursor: Cursor,
    *,
    seen: Mapping[str, str],
    started: datetime,
) -> Look:
    """Search for new orders, and now and then sweep a page of the window for changed ones."""
    # At first all that may still be open: it holds units of the count that we begin with.
    days = max(settings.open_order_days, settings.window_hours / 24)
    since = started - timedelta(days=days)
    if cursor.watermark is not None:
        since = cursor.watermark - timedelta(seconds=settings.overlap_seconds)
    rows, problems, until = await _list_all(client, settings, since, started + AHEAD)
    if cursor.watermark is not None and _is_sweep_due(settings, cursor):
        swept = await _sweep(client, settings, cursor, seen=seen, started=started)
        # An older order that is over and not in hand was over before we came.
        rows = {
            **{ref: row for ref, row in swept.items() if ref in seen or _is_live(row)},
            **rows,
        }
    known = {**cursor.read, **seen}
    new = [
        row
        for ref, row in rows.items()
        if ref not in known and (_counts(row, cursor) or ref in cursor.pending)
    ]
    changed = [row for ref, row in rows.items() if ref in known and _differs(known[ref], row.hint)]
    return Look(
        new=sorted(new, key=lambda row: row.ordered_at),
        # What ended an order comes first: it frees units.
        changed=sorted(changed, key=_is_live),
        problems=problems,
        until=until,
    )


async def _list_all(
    client: YahooClient, settings: YahooSettings, begin: datetime, end: datetime
) -> tuple[dict[str, Listed], list[tuple[str, str]], datetime | None]:
    rows: dict[str, Listed] = {}
    problems: list[tuple[str, str]] = []
    for page_number in range(settings.list_pages_max):
        start = page_number * PAGE_ORDERS + 1
        page = await client.list_orders(begin, end, start=start)
        rows |= {row.order_ref: row for row in page.rows}
        problems += page.problems
        if start + PAGE_ORDERS > page.total:
            return rows, problems, None
    return rows, problems, max((row.ordered_at for row in rows.values()), default=begin)


async def _sweep(
    client: YahooClient,
    settings: YahooSettings,
    cursor: Cursor,
    *,
    seen: Mapping[str, str],
    started: datetime,
) -> dict[str, Listed]:
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
    return {row.order_ref: row for row in page.rows}


def _is_sweep_due(settings: YahooSettings, cursor: Cursor) -> bool:
    # A second orderList in one pull costs a second in which no order is read: with orders
    # waiting, it is for later.
    every = settings.sweep_every * (SWEEP_LATER if cursor.left else 1)
    return cursor.count % every == 0


def is_list_due(settings: YahooSettings, cursor: Cursor, started: datetime) -> bool:
    """Whether orderList must be asked, whatever orderCount says."""
    if cursor.left or cursor.listed_at is None or cursor.count % settings.sweep_every == 0:
        return True
    return started - cursor.listed_at >= timedelta(seconds=settings.list_seconds)


def is_older(row: Listed, cursor: Cursor) -> bool:
    """Whether an order was placed before the very first pull began."""
    return cursor.began_at is not None and row.ordered_at < cursor.began_at


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
