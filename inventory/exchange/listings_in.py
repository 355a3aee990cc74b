"""Importing a channel's listings: which SKU each of them is, and the rules that a file names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Text, any_, literal, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import audit
from inventory.catalogue import mark_stale
from inventory.db import Database
from inventory.exchange.formats import Field
from inventory.exchange.imported import (
    CHUNK,
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
from inventory.exchange.rows import ListingLine, listings
from inventory.models import Channel, Listing
from inventory.onboarding import handle_anew

# The columns that a file may set, with their types.
TYPES: Mapping[str, str] = {
    "sku_id": "int",
    "safety_stock": "int",
    "safety_percent": "int",
    "quantity_max": "int",
    "quantity_floor": "int",
    "preorder_units": "int",
    "closed": "bool",
    "fulfilled_by_channel": "bool",
}


async def import_listings(
    database: Database,
    channel_id: int,
    table: Table,
    manner: Manner,
    tell: Tell,
) -> Imported:
    """Add or change a channel's listings; rules of columns that the file does not have stay.

    SKUs that are added get the file's title for a name. Raises `BadInput` for a file without the
    columns needed.
    """
    need(table, Field.CHANNEL_SKU, Field.ITEM)
    need(table, Field.SKU)
    result = Imported()
    lines = _once(sort_out(listings(table), result, tell), table, result)
    async with database.sessions() as session:
        known = await known_skus(session, (line.sku for line in lines))
    new = {line.sku: line.title for line in reversed(lines) if line.sku not in known}
    lines = _usable(lines, known, table, result, create=manner.create)
    if result.bad_rows and manner.bad_rows == "stop":
        result.stopped = True
        return result
    if new and manner.create:
        result.skus_created = await create_skus(database, new, manner, tell)
        async with database.sessions() as session:
            known |= await known_skus(session, new)
    done = 0
    for part in chunks(lines, CHUNK):
        async with database.transaction() as session:
            await _put(session, channel_id, part, known, result, manner.now)
        done += len(part)
        tell("listings", done, len(lines))
    counted = {"created": result.created, "changed": result.changed}
    async with database.transaction() as session:
        # What was sold under names that nobody knew until now is booked.
        events = await handle_anew(session, channel_id)
        detail = {"channel_id": channel_id, "bad_rows": result.bad_rows, "events": events} | counted
        audit.note(session, by=manner.by, action="listings.imported", detail=detail, now=manner.now)
    return result


def _once(lines: Sequence[ListingLine], table: Table, result: Imported) -> list[ListingLine]:
    """Each listing once: a second row of it would contradict the first, or say nothing."""
    first: dict[str, ListingLine] = {}
    column = table.column(Field.CHANNEL_SKU if Field.CHANNEL_SKU in table.places else Field.ITEM)
    for line in lines:
        held = first.setdefault(line.channel_sku, line)
        if held is not line:
            problem = f"the listing stands in line {held.line} already"
            result.refuse(
                BadRow(line=line.line, column=column, problem=problem, value=line.channel_sku)
            )
    return list(first.values())


def _usable(
    lines: Sequence[ListingLine],
    known: Mapping[str, KnownSku],
    table: Table,
    result: Imported,
    *,
    create: bool,
) -> list[ListingLine]:
    good = []
    for line in lines:
        field, problem, sku = Field.SKU, "", known.get(line.sku)
        if sku is None and not create:
            problem = NO_SKU
        elif sku is not None and sku.kit and line.rules.get("preorder_units"):
            field, problem = Field.PREORDER_UNITS, "a kit cannot be sold ahead of supply"
        if problem:
            column = table.column(field)
            result.refuse(BadRow(line=line.line, column=column, problem=problem, value=line.sku))
        else:
            good.append(line)
    return good


async def _put(
    session: AsyncSession,
    channel_id: int,
    lines: Sequence[ListingLine],
    known: Mapping[str, KnownSku],
    result: Imported,
    now: datetime,
) -> None:
    # As everybody who puts listings: one after the other on a channel.
    locked = select(Channel.id).where(Channel.id == channel_id).with_for_update(key_share=True)
    await session.execute(locked)
    names = ["sku_id", *(lines[0].rules if lines else ())]
    told = {
        line.channel_sku: (known[line.sku].id, *(line.rules[name] for name in names[1:]))
        for line in lines
    }
    columns = [getattr(Listing, name) for name in names]
    named = Listing.channel_sku == any_(literal(list(told), ARRAY(Text)))
    rows = await session.execute(
        select(Listing.channel_sku, *columns)
        .where(Listing.channel_id == channel_id, named)
        .order_by(Listing.id)
        .with_for_update(key_share=True)
    )
    held = {row[0]: tuple(row[1:]) for row in rows}
    new = [channel_sku for channel_sku in told if channel_sku not in held]
    changed = [name for name, values in held.items() if told[name] != values]
    await _write(session, _insert(names), channel_id, names, {each: told[each] for each in new})
    await _write(session, _update(names), channel_id, names, {each: told[each] for each in changed})
    result.created += len(new)
    result.changed += len(changed)
    result.unchanged += len(held) - len(changed)
    touched = {told[each][0] for each in (*new, *changed)} | {held[each][0] for each in changed}
    if touched:
        await mark_stale(session, touched, now)


def _told(names: Sequence[str]) -> str:
    arrays = ", ".join(f"CAST(:{name} AS {TYPES[name]}[])" for name in names)
    return f"unnest(CAST(:channel_sku AS text[]), {arrays}) AS n (channel_sku, {', '.join(names)})"


def _insert(names: Sequence[str]) -> str:
    columns = ", ".join(names)
    return (
        f"INSERT INTO listing (channel_id, channel_sku, {columns})"  # noqa: S608 -- constants
        f" SELECT :channel, channel_sku, {columns} FROM {_told(names)} ORDER BY channel_sku"
    )


def _update(names: Sequence[str]) -> str:
    changes = ", ".join(f"{name} = n.{name}" for name in names)
    return (
        f"UPDATE listing l SET {changes} FROM {_told(names)}"  # noqa: S608 -- constants
        " WHERE l.channel_id = :channel AND l.channel_sku = n.channel_sku"
    )


async def _write(
    session: AsyncSession,
    statement: str,
    channel_id: int,
    names: Sequence[str],
    told: Mapping[str, tuple[object, ...]],
) -> None:
    if not told:
        return
    values: dict[str, object] = {"channel": channel_id, "channel_sku": list(told)}
    values |= {
        name: list(column)
        for name, column in zip(names, zip(*told.values(), strict=True), strict=True)
    }
    await session.execute(text(statement), values)
