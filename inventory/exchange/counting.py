"""Telling the ledger what an import counted, and noting what became of each count."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from inventory.booking.stockroom import RECOUNT
from inventory.exchange.formats import Field
from inventory.exchange.imported import Imported, Tell, chunks
from inventory.exchange.reader import BadRow, Table
from inventory.facts import (
    FACTS_MAX,
    HOUSE_CHANNEL_ID,
    AdjustReason,
    Outcome,
    Status,
    StockCounted,
    StockOpened,
)
from inventory.ledger import Ledger

AT_ONCE = 2
FAR_SHOWN = 1_000
# Counted by somebody else meanwhile, or told as one of several when this file was told before.
NOT_FIRST = frozenset({"stock_opened", "content_differs"})


class Count(Struct, kw_only=True):
    """One SKU at one place as a file counts it; `first`: nothing was ever counted there."""

    line: int
    sku: str
    location: str
    number: int
    first: bool = True


class Counting(Struct, frozen=True, kw_only=True):
    """How a file is read: whose names it uses, and what its numbers mean.

    `name` names the counts for ever, so that the same file told again changes nothing.
    `channel_id`: channel SKUs are those of this channel; what it lists goes before the SKU that a
    row names. `location`: where rows lie that name no place, "" for the first sellable one.
    `places`: a place's name in the file → our location's code.
    """

    name: str
    counted_at: datetime
    channel_id: int | None = None
    location: str = ""
    places: Mapping[str, str] = {}
    quantity: Field | None = None


async def count_all(
    ledger: Ledger,
    counts: Sequence[Count],
    counting: Counting,
    table: Table,
    quantity: Field,
    result: Imported,
    tell: Tell,
) -> None:
    """Tell the ledger, two calls at a time: one is decided while the other is written."""
    done = 0
    for parts in chunks(list(chunks(counts, FACTS_MAX)), AT_ONCE):
        asked = (_tell(ledger, part, counting) for part in parts)
        for part, outcomes in zip(parts, await asyncio.gather(*asked), strict=True):
            _note(part, outcomes, table.column(quantity), result)
            done += len(part)
        tell("counts", done, len(counts))


async def _tell(ledger: Ledger, part: Sequence[Count], counting: Counting) -> list[Outcome]:
    facts = [_fact(count, counting, first=count.first) for count in part]
    outcomes = await ledger.apply(facts)
    late = [
        number
        for number, each in enumerate(outcomes)
        if part[number].first and each.code in NOT_FIRST
    ]
    if late:
        again = await ledger.apply([_fact(part[each], counting, first=False) for each in late])
        for number, outcome in zip(late, again, strict=True):
            outcomes[number] = outcome
    return outcomes


def _fact(count: Count, counting: Counting, *, first: bool) -> StockCounted:
    shape = StockOpened if first else StockCounted
    return shape(
        channel_id=HOUSE_CHANNEL_ID,
        fact_ref=f"{counting.name}:{count.line}",
        occurred_at=counting.counted_at,
        sku=count.sku,
        on_hand=count.number,
        reason=AdjustReason.COUNT,
        location=count.location or None,
    )


def _note(
    part: Iterable[Count], outcomes: Iterable[Outcome], column: str, result: Imported
) -> None:
    for count, outcome in zip(part, outcomes, strict=True):
        if outcome.status is not Status.RECORDED:
            result.refuse(
                BadRow(line=count.line, column=column, problem=outcome.detail or outcome.code)
            )
        elif outcome.code == RECOUNT:
            result.recounts += 1
            if len(result.far) < FAR_SHOWN:
                result.far.append(count.sku)
        elif outcome.repeated:
            result.unchanged += 1
        else:
            result.created += count.first
            result.changed += not count.first
