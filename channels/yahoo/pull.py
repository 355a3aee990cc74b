"""Which Yahoo! orders to read in one pull, at one order a second, and how far we then know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from channels.base import Pulled, Rejected, RetryLater
from channels.yahoo.client import PAGE_ORDERS, YahooClient
from channels.yahoo.mapping import Listed, MalformedOrder, order_from, ordered_at_of, state_of
from channels.yahoo.settings import WINDOW_HOURS_MAX, YahooSettings
from inventory.vocabulary import OrderSeen

REMEMBERED_MAX = 500
PENDING_MAX = 5000
FORGET_EVERY = 30
SECOND = timedelta(seconds=1)
# Lists reach a little into the future: the store's clock need not be ours.
AHEAD = timedelta(seconds=60)


class Cursor(Struct, kw_only=True):
    """What one pull tells the next.

    `began_at`: start of the very first pull; orders placed before and finished by then move no
    stock. `pending`: orders of that time that were live then and are still to be read, whatever
    became of them. `read`: hints of orders read that need not be in `seen` (parked or malformed
    ones); forgotten now and then, so that they get another chance. `sweep_begin`, `sweep_start`:
    the sweep under way and its next position.
    """

    watermark: datetime | None = None
    began_at: datetime | None = None
    count: int = 0
    reread_after: str = ""
    pending: list[str] = []
    read: dict[str, str] = {}
    sweep_begin: datetime | None = None
    sweep_start: int = 1


class Look(Struct, kw_only=True):
    """What the lists showed. `until`: nothing placed before it is missing; None: nothing at all."""

    new: list[Listed]
    changed: list[Listed]
    problems: list[tuple[str, str]]
    until: datetime | None = None


class Reading(Struct, kw_only=True):
    """What orderInfo gave: `done` has a hint for every order that need not be asked for again."""

    orders: list[OrderSeen]
    problems: list[tuple[str, str]]
    done: dict[str, str]


async def pull(
    client: YahooClient,
    settings: YahooSettings,
    cursor: dict[str, Any],
    *,
    seen: Mapping[str, str],
    now: Callable[[], datetime],
) -> Pulled:
    """One pull: new orders since the last watermark, one page of older ones now and then.

    At most `orders_read_max` orders are read, the oldest new ones first; the watermark stays
    before the oldest new order that is left for the next pull.
    """
    last, started = _cursor_from(cursor), now()
    began_at = last.began_at or started
    following = msgspec.structs.replace(
        last,
        began_at=began_at,
        count=last.count + 1,
        read={} if last.count % FORGET_EVERY == FORGET_EVERY - 1 else last.read,
    )
    look = await _look(client, settings, following, seen=seen, started=started)
    reading = await _read(client, settings, look, following, seen=seen, now=now)
    left = [row for row in look.new if row.order_ref not in reading.done]
    following.pending = [row.order_ref for row in left if row.ordered_at < began_at][:PENDING_MAX]
    following.read = dict([*following.read.items(), *reading.done.items()][-REMEMBERED_MAX:])
    following.watermark = _watermark(settings, last, look, left, started=started)
    return Pulled(
        orders=tuple(reading.orders),
        cursor=msgspec.to_builtins(following),
        watermark=following.watermark,
        problems=(*look.problems, *reading.problems),
    )


def _cursor_from(cursor: dict[str, Any]) -> Cursor:
    try:
        return msgspec.convert(cursor, Cursor)
    except msgspec.ValidationError:
        return Cursor()  # another version's cursor: begin as at first, nothing is lost by that


def _watermark(
    settings: YahooSettings,
    last: Cursor,
    look: Look,
    left: list[Listed],
    *,
    started: datetime,
) -> datetime:
    moments = [started - timedelta(seconds=settings.order_visible_lag_seconds)]
    # Times are whole seconds: the second of an unread order may hold more than that order.
    moments += [row.ordered_at - SECOND for row in left]
    moments += [look.until - SECOND] if look.until is not None else []
    return max(min(moments), last.watermark or min(moments))


async def _look(
    client: YahooClient,
    settings: YahooSettings,
    cursor: Cursor,
    *,
    seen: Mapping[str, str],
    started: datetime,
) -> Look:
    since = started - timedelta(hours=settings.window_hours)
    if cursor.watermark is not None:
        since = cursor.watermark - timedelta(seconds=settings.overlap_seconds)
    rows, problems, until = await _list_all(client, settings, since, started + AHEAD)
    if cursor.watermark is not None and cursor.count % settings.sweep_every == 0:
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


async def _read(
    client: YahooClient,
    settings: YahooSettings,
    look: Look,
    cursor: Cursor,
    *,
    seen: Mapping[str, str],
    now: Callable[[], datetime],
) -> Reading:
    hints = {row.order_ref: row.hint for row in (*look.new, *look.changed)}
    refs = _chosen(look, settings.orders_read_max)
    if len(refs) < settings.orders_read_max and cursor.count % settings.sweep_every == 0:
        refs += _next_in_turn(cursor, seen, but=hints)
    reading = Reading(orders=[], problems=[], done={})
    refused: Rejected | None = None
    for ref in refs:
        observed_at = now()
        try:
            info = await client.order_info(ref)
            order = order_from(info, observed_at=observed_at)
        except RetryLater:
            if not reading.done:
                raise
            break  # what was read counts; the rest is for the next pull
        except (MalformedOrder, Rejected) as error:
            refused = error if isinstance(error, Rejected) else refused
            reading.problems.append((ref, str(error)))
            reading.done[ref] = hints.get(ref, seen.get(ref, ""))
            continue
        reading.orders.append(order)
        reading.done[ref] = order.hint
    if refused is not None and not reading.orders:
        raise refused  # not one order's fault: nothing may pass for known
    return reading


def _chosen(look: Look, most: int) -> list[str]:
    # One place is kept for changes, so that a busy night does not hide cancellations for long.
    new = [row.order_ref for row in look.new]
    changed = [row.order_ref for row in look.changed]
    kept = min(len(changed), 1)
    return [*new[: most - kept], *changed, *new[most - kept :]][:most]


def _next_in_turn(cursor: Cursor, seen: Mapping[str, str], *, but: Mapping[str, str]) -> list[str]:
    # Staff may lower the units of a live order; its state, all that a list shows, stays the same.
    live = sorted(ref for ref, hint in seen.items() if state_of(hint) == "live" and ref not in but)
    after = [ref for ref in live if ref > cursor.reread_after]
    turn = (after or live)[:1]
    cursor.reread_after = turn[0] if turn else ""
    return turn


def _counts(row: Listed, cursor: Cursor) -> bool:
    began_at = cursor.began_at
    return _is_live(row) or began_at is None or row.ordered_at >= began_at - SECOND


def _is_live(row: Listed) -> bool:
    return state_of(row.hint) == "live"


def _differs(known: str, listed: str) -> bool:
    # Of a finished order only its end matters: shipped and then arrived is the same to us.
    if state_of(known) == "live":
        return known != listed
    return state_of(known) != state_of(listed)
