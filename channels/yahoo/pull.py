"""Which Yahoo! orders to read in one pull, at one order a second, and how far we then know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from channels.base import Pulled, Rejected, RetryLater
from channels.yahoo.client import YahooClient
from channels.yahoo.look import SECOND, Cursor, look
from channels.yahoo.mapping import MalformedOrder, order_from, ordered_at_of, state_of
from channels.yahoo.settings import YahooSettings
from inventory.vocabulary import OrderSeen

REMEMBERED_MAX = 500
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
    """One pull: new orders since the last search, one page of older ones now and then.

    orderCount is the cheap signal: while it stays the same, orderList is asked only every
    `list_seconds`, and the watermark stays where it was. As staff who open one order while
    another comes in leave the count as it was, orderList is never left out for longer. At most
    `orders_read_max` orders are read, the oldest new ones first; those left over are carried to
    the next pull, which lists no more before it is about to run out of them. The watermark stays
    before the oldest new order that is left.
    """
    following, started = _cursor_from(cursor), now()
    following.began_at = following.began_at or started
    following.count += 1
    if following.count % FORGET_EVERY == 0:
        following.read = {}
    following.prune(seen)
    if await _is_quiet(client, settings, following, started):
        orders, problems = [], []
    else:
        problems = await look(client, settings, following, seen=seen, started=started)
        reading = await _read(client, settings, following, seen=seen, now=now)
        orders, problems = reading.orders, problems + reading.problems
        following.read = dict([*following.read.items(), *reading.done.items()][-REMEMBERED_MAX:])
        following.prune({**seen, **reading.done})
    watermark = following.watermark = _watermark(following, started)
    return Pulled(
        orders=tuple(orders),
        cursor=msgspec.to_builtins(following),
        watermark=watermark,
        problems=tuple(problems),
    )


async def _is_quiet(
    client: YahooClient, settings: YahooSettings, cursor: Cursor, started: datetime
) -> bool:
    """Whether orderList may be left out this time, as orderCount says what it said before."""
    if cursor.reach is None or cursor.is_list_due(settings, started):
        return False
    before, cursor.counted = cursor.counted, await client.count_orders()
    return cursor.counted == before


def _cursor_from(cursor: dict[str, Any]) -> Cursor:
    try:
        return msgspec.convert(cursor, Cursor)
    except msgspec.ValidationError:
        return Cursor()  # another version's cursor: begin as at first, nothing is lost by that


def _watermark(cursor: Cursor, started: datetime) -> datetime:
    """How far all orders are in hand: as far as lists went, and before any that is unread."""
    unread = [ordered_at_of(hint) for hint in cursor.waiting.values()]
    # Times are whole seconds: the second of an unread order may hold more than that order.
    moments = [moment - SECOND for moment in unread if moment is not None]
    reached = min([cursor.reach or started, *moments])
    return max(reached, cursor.watermark or reached)


async def _read(
    client: YahooClient,
    settings: YahooSettings,
    cursor: Cursor,
    *,
    seen: Mapping[str, str],
    now: Callable[[], datetime],
) -> Reading:
    hints = {**cursor.waiting, **cursor.changed}
    refs = _chosen(cursor, settings.orders_read_max)
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


def _chosen(cursor: Cursor, most: int) -> list[str]:
    # What ended an order comes first: it frees units.
    changed = sorted(cursor.changed, key=lambda ref: state_of(cursor.changed[ref]) == "live")
    new = sorted(cursor.waiting, key=lambda ref: cursor.waiting[ref].rpartition("@")[2])
    # One place is kept for changes, so that a busy night does not hide cancellations for long.
    kept = min(len(changed), 1)
    return [*new[: most - kept], *changed, *new[most - kept :]][:most]


def _next_in_turn(cursor: Cursor, seen: Mapping[str, str], *, but: Mapping[str, str]) -> list[str]:
    # Staff may lower the units of a live order; its state, all that a list shows, stays the same.
    live = sorted(ref for ref, hint in seen.items() if state_of(hint) == "live" and ref not in but)
    after = [ref for ref in live if ref > cursor.reread_after]
    turn = (after or live)[:1]
    cursor.reread_after = turn[0] if turn else ""
    return turn
