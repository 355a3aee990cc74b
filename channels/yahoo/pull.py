"""Which Yahoo! orders to read in one pull, at one order a second, and how far we then know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from channels.base import Pulled, Rejected, RetryLater
from channels.yahoo.client import YahooClient
from channels.yahoo.look import SECOND, Cursor, Look, is_list_due, is_older, look
from channels.yahoo.mapping import Listed, MalformedOrder, order_from, state_of
from channels.yahoo.settings import YahooSettings
from inventory.vocabulary import OrderSeen

REMEMBERED_MAX = 500
PENDING_MAX = 5000
FORGET_EVERY = 30


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

    orderCount is the cheap signal: while it stays the same, orderList is asked only every
    `list_seconds`, and the watermark stays where it was. As staff who open one order while
    another comes in leave the count as it was, orderList is never left out for longer. At most
    `orders_read_max` orders are read, the oldest new ones first; the watermark stays before the
    oldest new order that is left for the next pull.
    """
    last, started = _cursor_from(cursor), now()
    following = _begun(last, started)
    if last.watermark is not None and await _is_quiet(client, settings, following, started):
        return Pulled(orders=(), cursor=msgspec.to_builtins(following), watermark=last.watermark)
    following.listed_at = started
    shown = await look(client, settings, following, seen=seen, started=started)
    reading = await _read(client, settings, shown, following, seen=seen, now=now)
    left = [row for row in shown.new if row.order_ref not in reading.done]
    changed = [row for row in shown.changed if row.order_ref not in reading.done]
    following.left = len(left) + len(changed)
    following.pending = [row.order_ref for row in left if is_older(row, following)][:PENDING_MAX]
    following.read = dict([*following.read.items(), *reading.done.items()][-REMEMBERED_MAX:])
    following.watermark = _watermark(settings, last, shown, left, started=started)
    return Pulled(
        orders=tuple(reading.orders),
        cursor=msgspec.to_builtins(following),
        watermark=following.watermark,
        problems=(*shown.problems, *reading.problems),
    )


def _begun(last: Cursor, started: datetime) -> Cursor:
    """What this pull begins with."""
    return msgspec.structs.replace(
        last,
        began_at=last.began_at or started,
        count=last.count + 1,
        read={} if last.count % FORGET_EVERY == FORGET_EVERY - 1 else last.read,
    )


async def _is_quiet(
    client: YahooClient, settings: YahooSettings, cursor: Cursor, started: datetime
) -> bool:
    """Whether orderList may be left out this time, as orderCount says what it said before."""
    if is_list_due(settings, cursor, started):
        return False
    before, cursor.counted = cursor.counted, await client.count_orders()
    return cursor.counted == before


def _cursor_from(cursor: dict[str, Any]) -> Cursor:
    try:
        return msgspec.convert(cursor, Cursor)
    except msgspec.ValidationError:
        return Cursor()  # another version's cursor: begin as at first, nothing is lost by that


def _watermark(
    settings: YahooSettings,
    last: Cursor,
    shown: Look,
    left: list[Listed],
    *,
    started: datetime,
) -> datetime:
    moments = [started - timedelta(seconds=settings.order_visible_lag_seconds)]
    # Times are whole seconds: the second of an unread order may hold more than that order.
    moments += [row.ordered_at - SECOND for row in left]
    moments += [shown.until - SECOND] if shown.until is not None else []
    return max(min(moments), last.watermark or min(moments))


async def _read(
    client: YahooClient,
    settings: YahooSettings,
    shown: Look,
    cursor: Cursor,
    *,
    seen: Mapping[str, str],
    now: Callable[[], datetime],
) -> Reading:
    hints = {row.order_ref: row.hint for row in (*shown.new, *shown.changed)}
    refs = _chosen(shown, settings.orders_read_max)
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


def _chosen(shown: Look, most: int) -> list[str]:
    # One place is kept for changes, so that a busy night does not hide cancellations for long.
    new = [row.order_ref for row in shown.new]
    changed = [row.order_ref for row in shown.changed]
    kept = min(len(changed), 1)
    return [*new[: most - kept], *changed, *new[most - kept :]][:most]


def _next_in_turn(cursor: Cursor, seen: Mapping[str, str], *, but: Mapping[str, str]) -> list[str]:
    # Staff may lower the units of a live order; its state, all that a list shows, stays the same.
    live = sorted(ref for ref, hint in seen.items() if state_of(hint) == "live" and ref not in but)
    after = [ref for ref in live if ref > cursor.reread_after]
    turn = (after or live)[:1]
    cursor.reread_after = turn[0] if turn else ""
    return turn
