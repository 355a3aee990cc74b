"""Importing stock: every number of a file is a physical count, told to the ledger like any other.

A number from which a mall has taken off its open orders already (`available`) is what was counted
less what we hold reserved for orders of before the count, so these must have been booked before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import audit
from inventory.db import Database
from inventory.errors import BadInput
from inventory.exchange.counting import Count, Counting, count_all
from inventory.exchange.formats import Field
from inventory.exchange.imported import (
    CHUNK,
    NO_LOCATION,
    NO_SKU,
    Imported,
    KnownSku,
    Manner,
    Tell,
    chunks,
    create_skus,
    known_skus,
    sort_out,
)
from inventory.exchange.reader import BadRow, Table, need
from inventory.exchange.rows import StockLine, stock
from inventory.facts import QUANTITY_MAX
from inventory.ledger import Ledger
from inventory.models import Listing, Location, Sku


async def import_stock(
    database: Database,
    ledger: Ledger,
    table: Table,
    counting: Counting,
    manner: Manner,
    tell: Tell,
) -> Imported:
    """Count what a file says. With `stop` one bad row keeps the whole file out.

    A count that is far from the book is kept and not applied: `far` names it, for a second count.
    Where nothing was ever counted, the first count is taken as it is. Raises `BadInput`.
    """
    quantity = column_of(table, counting.quantity)
    async with database.sessions() as session:
        await _located(session, counting)
    result = Imported()
    lines = sort_out(stock(table, quantity), result, tell)
    async with database.sessions() as session:
        lines = await _named(session, lines, counting, table, result)
        known = await known_skus(session, (line.sku for line in lines))
        counts = await _counts(session, lines, known, table, counting, result, create=manner.create)
    new = {line.sku: line.title for line in reversed(lines) if line.sku not in known}
    async with database.sessions() as session:
        counts = await _on_shelf(session, counts, table, quantity, counting, result)
    if result.bad_rows and manner.bad_rows == "stop":
        result.stopped = True
        return result
    if new and manner.create:
        result.skus_created = await create_skus(database, new, manner, tell)
    await count_all(ledger, counts, counting, table, quantity, result, tell)
    async with database.transaction() as session:
        detail = {"name": counting.name, "counts": result.changed, "bad_rows": result.bad_rows}
        audit.note(session, by=manner.by, action="stock.imported", detail=detail, now=manner.now)
    return result


def column_of(table: Table, wanted: Field | None) -> Field:
    """Which of a file's numbers is taken: the one asked for, else what was counted. `BadInput`."""
    if wanted is not None:
        need(table, wanted)
        return wanted
    need(table, Field.ON_HAND, Field.AVAILABLE)
    return Field.ON_HAND if Field.ON_HAND in table.places else Field.AVAILABLE


async def _located(session: AsyncSession, counting: Counting) -> None:
    """Raises `BadInput` for a location that was asked for and is not there."""
    wanted = {counting.location, *counting.places.values()} - {""}
    codes = sorted(await session.scalars(select(Location.code))) if wanted else []
    if missing := sorted(wanted.difference(codes)):
        raise BadInput(f"there is no location {missing[0]!r}; there are {', '.join(codes)}")


async def _named(
    session: AsyncSession,
    lines: Sequence[StockLine],
    counting: Counting,
    table: Table,
    result: Imported,
) -> list[StockLine]:
    """The lines that are ours, each with its SKU: the channel's listing says it, or the file."""
    listed: dict[str, tuple[str, bool]] = {}
    if counting.channel_id is not None:
        rows = await session.execute(
            select(Listing.channel_sku, Sku.code, Listing.fulfilled_by_channel)
            .join(Sku, Sku.id == Listing.sku_id)
            .where(Listing.channel_id == counting.channel_id)
        )
        listed = {row[0]: (row[1], row[2]) for row in rows}
    good = []
    for line in lines:
        sku, by_channel = listed.get(line.channel_sku, (line.sku, False))
        if line.left_out or by_channel:
            result.leave(line.left_out or "shipped by the channel")
        elif not sku:
            column = table.column(Field.SKU)
            problem = "the row names no SKU, and no listing of the channel is mapped to one"
            result.refuse(
                BadRow(line=line.line, column=column, problem=problem, value=line.channel_sku)
            )
        else:
            good.append(msgspec.structs.replace(line, sku=sku))
    return good


async def _counts(
    session: AsyncSession,
    lines: Sequence[StockLine],
    known: Mapping[str, KnownSku],
    table: Table,
    counting: Counting,
    result: Imported,
    *,
    create: bool,
) -> list[Count]:
    """Each SKU at each place once; two listings of one SKU may say the same number."""
    codes = set(await session.scalars(select(Location.code)))
    first: dict[tuple[str, str], Count] = {}
    for line in lines:
        sku = known.get(line.sku)
        place = counting.places.get(line.place, line.place) or counting.location
        problem, field, value = "", Field.SKU, line.sku
        if sku is None and not create:
            problem = NO_SKU
        elif sku is not None and sku.kit:
            result.leave("kits: their parts are counted")
            continue
        elif place and place not in codes:
            problem, field, value = NO_LOCATION, Field.LOCATION, place
        count = Count(line=line.line, sku=line.sku, location=place, number=line.number or 0)
        held = first.get((line.sku, place), count)
        if not problem and held.number != count.number:
            problem = f"line {held.line} says {held.number}, this one {count.number}"
        if problem:
            column = table.column(field)
            result.refuse(BadRow(line=line.line, column=column, problem=problem, value=value))
        else:
            first[line.sku, place] = held
    return list(first.values())


# An order placed after the moment is in no number of that moment: it comes off by itself.
_LEVELS = text("""
WITH home AS (SELECT min(id) AS id FROM location WHERE sellable)
SELECT n.sku, n.place, coalesce(v.on_hand, 0) AS on_hand, v.counted_at,
  coalesce((SELECT sum(held.reserved) FROM stock_level held
    JOIN location a ON a.id = held.location_id WHERE held.sku_id = s.id
      AND CASE WHEN n.place = '' THEN a.sellable ELSE a.id = l.id END), 0)
  - coalesce((SELECT sum(p.reserved) FROM order_part p JOIN sales_order o ON o.id = p.order_id
    JOIN location a ON a.id = p.location_id WHERE p.sku_id = s.id AND p.reserved > 0
      AND o.ordered_at > :counted_at
      AND CASE WHEN n.place = '' THEN a.sellable ELSE a.id = l.id END), 0) AS reserved
FROM unnest(CAST(:skus AS text[]), CAST(:places AS text[])) AS n (sku, place)
JOIN sku s ON s.code = n.sku
CROSS JOIN home
LEFT JOIN location l ON l.code = n.place
LEFT JOIN stock_level v ON v.sku_id = s.id AND v.location_id = coalesce(l.id, home.id)
""")


async def _on_shelf(
    session: AsyncSession,
    counts: Sequence[Count],
    table: Table,
    quantity: Field,
    counting: Counting,
    result: Imported,
) -> list[Count]:
    """The counts as of what lies on the shelf, beside what the book says now."""
    good: list[Count] = []
    for part in chunks(counts, CHUNK):
        skus, places = [each.sku for each in part], [each.location for each in part]
        asked = {"skus": skus, "places": places, "counted_at": counting.counted_at}
        rows = await session.execute(_LEVELS, asked)
        levels = {(row.sku, row.place): row for row in rows}
        for count in part:
            shown = str(count.number)
            level = levels.get((count.sku, count.location))
            problem = _beside_book(count, level, quantity, counting.counted_at)
            if problem:
                column = table.column(quantity)
                result.refuse(BadRow(line=count.line, column=column, problem=problem, value=shown))
            else:
                good.append(count)
    return good


def _beside_book(
    count: Count, level: Any | None, quantity: Field, counted_at: datetime
) -> str | None:
    """Make a number what lies on the shelf; what is wrong with it, if anything."""
    if level is not None:
        # Of the same moment: this very file was told before, and its names decide.
        never = level.counted_at is None and level.on_hand <= 0
        count.first = never or level.counted_at == counted_at
        if quantity is Field.AVAILABLE:
            count.number += int(level.reserved)
    if not 0 <= count.number <= QUANTITY_MAX:
        return "fewer units than none would lie on the shelf"
    if level is not None and level.counted_at is not None and level.counted_at > counted_at:
        return f"{count.sku} was counted later already"
    return None
