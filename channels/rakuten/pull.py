"""Which Rakuten orders to read in one pull, within one call a second, and how far we then know."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from channels.base import Pulled, RetryLater
from channels.rakuten.client import RakutenClient
from channels.rakuten.mapping import LIVE_PROGRESS, MalformedOrder, is_live, order_from, ordered_day
from channels.rakuten.settings import SPAN_DAYS_MAX, RakutenSettings
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
    """What the searches asked for: orders to read in this order, and why."""

    new: list[str]
    vanished: list[str]
    reread: list[str]
    complete: bool


class Reading(Struct, kw_only=True):
    """What getOrder gave; `left` are new orders that are still to be read."""

    orders: list[OrderSeen]
    problems: list[tuple[str, str]]
    left: int
    done: set[str]


async def pull(
    client: RakutenClient,
    settings: RakutenSettings,
    cursor: dict[str, Any],
    *,
    seen: Mapping[str, str],
    now: Callable[[], datetime],
) -> Pulled:
    """One pull. New orders of any state since the last watermark; now and then the live ones.

    An order that we hold as live and that left the list of live orders is read, as are some live
    ones in turn. The watermark stays where it was while a new order is left unread. The first pull
    takes live orders only: what was finished before we came moves no stock.
    """
    last, started = _cursor_from(cursor), now()
    wanted = await _search(client, settings, last, seen=seen, started=started)
    reading = await _read(client, settings, wanted, seen=seen, now=now)
    held_back = reading.left or not wanted.complete
    oldest = started - timedelta(hours=settings.window_hours)
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


async def _search(
    client: RakutenClient,
    settings: RakutenSettings,
    last: Cursor,
    *,
    seen: Mapping[str, str],
    started: datetime,
) -> Wanted:
    known = {*seen, *last.read}
    found: dict[str, None] = dict.fromkeys(last.pending)
    complete = True
    if last.watermark is not None:
        since = last.watermark - timedelta(seconds=settings.overlap_seconds)
        recent = await client.search_orders(max(since, _earliest(started)), started + AHEAD)
        found |= dict.fromkeys(recent.refs)
        complete = recent.complete
    vanished: list[str] = []
    live_due = last.watermark is None or last.count % settings.live_search_every == 0
    held = [ref for ref, hint in seen.items() if is_live(hint)]
    if live_due:
        begin = _window_begin(held, settings, last, started=started)
        live = await client.search_orders(begin, started + AHEAD, LIVE_PROGRESS)
        found |= dict.fromkeys(live.refs)
        complete = complete and live.complete
        vanished = sorted(set(held).difference(live.refs, _placed_before(held, begin)))
    new = [ref for ref in found if ref not in known]
    reread: list[str] = []
    if live_due or new:
        still_live = sorted(set(held).difference(vanished))
        # As many as fit beside the others: they cost no call of their own then.
        room = READ_ORDERS_MAX - (len(new) + len(vanished)) % READ_ORDERS_MAX
        most = min(settings.reread_orders_max, room)
        reread = _next_in_turn(still_live, last.reread_after)[:most]
    return Wanted(new=new, vanished=vanished, reread=reread, complete=complete)


async def _read(
    client: RakutenClient,
    settings: RakutenSettings,
    wanted: Wanted,
    *,
    seen: Mapping[str, str],
    now: Callable[[], datetime],
) -> Reading:
    refs = list(dict.fromkeys([*wanted.new, *wanted.vanished, *wanted.reread]))
    reading = Reading(orders=[], problems=[], left=0, done=set())
    for call in range(min(settings.read_calls_max, -(-len(refs) // READ_ORDERS_MAX))):
        batch = refs[call * READ_ORDERS_MAX : (call + 1) * READ_ORDERS_MAX]
        observed_at = now()
        try:
            raws = await client.get_orders(batch, version=settings.order_version)
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
        ref = order_number(raw)
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
            reading.problems.append((ref, "getOrder left it out"))


def order_number(raw: msgspec.Raw) -> str:
    """The orderNumber of an order that may otherwise be unreadable, "" where it has none."""
    try:
        return msgspec.json.decode(raw, type=_Named).ref
    except msgspec.DecodeError:
        return ""


class _Named(Struct):
    ref: str = msgspec.field(name="orderNumber")


def _earliest(started: datetime) -> datetime:
    return started - timedelta(days=SPAN_DAYS_MAX) + 2 * AHEAD


def _window_begin(
    held: Sequence[str], settings: RakutenSettings, last: Cursor, *, started: datetime
) -> datetime:
    days = [day for day in map(ordered_day, held) if day is not None]
    begin = min([started - timedelta(hours=settings.window_hours), *days])
    if last.watermark is not None:
        begin = min(begin, last.watermark)
    return max(begin, _earliest(started))


def _placed_before(held: Sequence[str], begin: datetime) -> list[str]:
    # Orders that may lie outside the search's window did not vanish from it.
    days = {ref: ordered_day(ref) for ref in held}
    return [ref for ref, day in days.items() if day is not None and day < begin]


def _next_in_turn(refs: Sequence[str], after: str) -> list[str]:
    return [*(ref for ref in refs if ref > after), *(ref for ref in refs if ref <= after)]
