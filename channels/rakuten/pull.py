"""Which Rakuten orders to read in one pull, within one call a second, and how far we then know."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from channels.base import Pulled, RetryLater
from channels.rakuten.mapping import MalformedOrder, order_from
from channels.rakuten.orders import OrderReader, head
from channels.rakuten.searches import (
    PENDING_MAX,
    READ_ORDERS_MAX,
    Cursor,
    Mark,
    Searches,
    Wanted,
)
from channels.rakuten.settings import RakutenSettings
from inventory.vocabulary import OrderSeen

REMEMBERED_MAX = 1000
# With orders waiting to be read, a search comes after so many pulls that only read.
READS_IN_A_ROW_MAX = 10
# So many orders that ended or came back are read before the new ones.
MOVED_FIRST = 30


class Reading(Struct, kw_only=True):
    """What the reading functions gave; `done` are orders that need not be asked for again."""

    orders: list[OrderSeen]
    problems: list[tuple[str, str]]
    done: set[str]


async def pull(
    reader: OrderReader,
    settings: RakutenSettings,
    cursor: dict[str, Any],
    *,
    seen: Mapping[str, str],
    now: Callable[[], datetime],
) -> Pulled:
    """One pull. New orders of any state since the last search; now and then the open ones.

    An order that we hold as open and that left the list of open orders is read, as are some open
    ones in turn. While more orders are known than one call reads, they are read before the next
    search. The watermark goes as far as a search whose orders have all been read. The first pull
    takes open orders only: what was finished before we came moves no stock.
    """
    following, started = _cursor_from(cursor), now()
    known = {*seen, *following.read}
    _strike(following, known)
    wanted = Wanted(new=following.pending)
    if _is_search_due(following):
        searches = Searches(reader, settings, following, seen=seen, started=started)
        wanted = await searches.run()
    else:
        following.reads += 1
    reading = await _read(reader, settings, wanted, seen=seen, now=now)
    following.pending = wanted.new
    if wanted.reach is not None:
        following.marks = [*following.marks, Mark(wanted.reach, len(following.pending))]
    following.read += [ref for ref in wanted.new if ref in reading.done]
    following.read = following.read[-REMEMBERED_MAX:]
    _strike(following, reading.done)
    following.pending = following.pending[:PENDING_MAX]
    if wanted.reread:
        following.reread_after = wanted.reread[-1]
    return Pulled(
        orders=tuple(reading.orders),
        cursor=msgspec.to_builtins(following),
        watermark=following.watermark or started - timedelta(days=settings.open_order_days),
        problems=tuple(reading.problems),
    )


def _is_search_due(cursor: Cursor) -> bool:
    """Whether new orders are looked for: not while a whole call's worth of known ones waits."""
    return len(cursor.pending) < READ_ORDERS_MAX or cursor.reads >= READS_IN_A_ROW_MAX


def _strike(cursor: Cursor, done: Collection[str]) -> None:
    """Take orders that were read off those pending, and move the watermark past what is in hand."""
    for mark in cursor.marks:
        mark.left -= sum(ref in done for ref in cursor.pending[: mark.left])
    for mark in cursor.marks:
        if not mark.left:
            cursor.watermark = max(mark.reach, cursor.watermark or mark.reach)
    cursor.marks = [mark for mark in cursor.marks if mark.left]
    cursor.pending = [ref for ref in cursor.pending if ref not in done]


def _cursor_from(cursor: dict[str, Any]) -> Cursor:
    try:
        found = msgspec.convert(cursor, Cursor)
    except msgspec.ValidationError:
        return Cursor()  # another version's cursor: begin as at first, nothing is lost by that
    found.reach = found.reach or found.watermark
    return found


async def _read(
    reader: OrderReader,
    settings: RakutenSettings,
    wanted: Wanted,
    *,
    seen: Mapping[str, str],
    now: Callable[[], datetime],
) -> Reading:
    first, later = wanted.moved[:MOVED_FIRST], wanted.moved[MOVED_FIRST:]
    refs = list(dict.fromkeys([*first, *wanted.new, *later, *wanted.reread]))
    # What is left of the new ones is remembered, of the others it is not. One call's orders are
    # stored while the next call has to wait anyway.
    calls_max = settings.read_calls_max if wanted.moved else 1
    reading = Reading(orders=[], problems=[], done=set())
    for call in range(min(calls_max, -(-len(refs) // READ_ORDERS_MAX))):
        batch = refs[call * READ_ORDERS_MAX : (call + 1) * READ_ORDERS_MAX]
        observed_at = now()
        try:
            raws = await reader.read(batch)
        except RetryLater:
            if not reading.done:
                raise
            break  # what was read counts; the rest is for the next pull
        _take(reading, raws, batch, seen=seen, observed_at=observed_at)
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
