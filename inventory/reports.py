"""Reads of the ledger: stock of each SKU, history of its movements, and whether the books agree."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct, to_builtins
from sqlalchemy import RowMapping, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.models import Channel, Fact, Location, Sku, StockLevel, StockMovement, Switch
from inventory.quantities import available_to_promise, held_back

UNBALANCED_MAX = 100
LEDGER_CHECK = "ledger_check"


class LocationStock(Struct, frozen=True, kw_only=True):
    """Units of one SKU at one location."""

    location: str
    sellable: bool
    on_hand: int
    reserved: int


class SkuStock(Struct, frozen=True, kw_only=True):
    """One SKU with its stock. `on_hand` to `available_to_promise` are of the sellable locations.

    `safety_units` are held back now: the greater of `safety_stock` and `safety_percent`.
    """

    id: int
    code: str
    name: str
    safety_stock: int
    safety_percent: int
    created_at: datetime
    on_hand: int
    reserved: int
    available: int
    safety_units: int
    available_to_promise: int
    locations: tuple[LocationStock, ...]


class MovementKey(Struct, frozen=True, array_like=True):
    """Where a page of the history ended; its limits are those of the columns."""

    recorded_at: Annotated[datetime, Meta(tz=True)]
    fact_id: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    line: Annotated[int, Meta(ge=0, le=2**15 - 1)]
    location_id: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    kind: Annotated[str, Meta(max_length=20, pattern=r"^[a-z]+\Z")]


class MovementRow(Struct, frozen=True, kw_only=True):
    """One entry of the ledger. The deltas are units; `revision` counts the balance's entries."""

    kind: str
    location: str
    on_hand_delta: int
    reserved_delta: int
    revision: int
    reason: str | None
    channel: str
    fact_ref: str
    occurred_at: datetime
    recorded_at: datetime


class Unbalanced(Struct, frozen=True, kw_only=True):
    """A balance that is not the sum of its movements."""

    sku: str
    location: str
    on_hand: int
    on_hand_moved: int
    reserved: int
    reserved_moved: int


class LedgerCheck(Struct, frozen=True, kw_only=True):
    """The last time that all balances were compared with their movements, and what was found."""

    checked_at: datetime
    unbalanced: tuple[Unbalanced, ...]


async def skus(session: AsyncSession, *, after_id: int, limit: int) -> list[SkuStock]:
    """SKUs by id, with their stock."""
    rows = await session.scalars(select(Sku).where(Sku.id > after_id).order_by(Sku.id).limit(limit))
    return await _stock_of(session, list(rows))


async def sku(session: AsyncSession, found: Sku) -> SkuStock:
    """One SKU with its stock."""
    [stock] = await _stock_of(session, [found])
    return stock


async def _stock_of(session: AsyncSession, found: Sequence[Sku]) -> list[SkuStock]:
    rows = await session.execute(
        select(StockLevel, Location)
        .join(Location, Location.id == StockLevel.location_id)
        .where(StockLevel.sku_id.in_([each.id for each in found]))
        .order_by(StockLevel.sku_id, StockLevel.location_id)
    )
    levels: dict[int, list[LocationStock]] = {}
    for level, location in rows:
        stock = LocationStock(
            location=location.code,
            sellable=location.sellable,
            on_hand=level.on_hand,
            reserved=level.reserved,
        )
        levels.setdefault(level.sku_id, []).append(stock)
    return [_sku_stock(each, levels.get(each.id, [])) for each in found]


def _sku_stock(found: Sku, levels: Sequence[LocationStock]) -> SkuStock:
    on_hand = sum(level.on_hand for level in levels if level.sellable)
    reserved = sum(level.reserved for level in levels if level.sellable)
    available = on_hand - reserved
    held = held_back(available, units=found.safety_stock, percent=found.safety_percent)
    return SkuStock(
        id=found.id,
        code=found.code,
        name=found.name,
        safety_stock=found.safety_stock,
        safety_percent=found.safety_percent,
        created_at=found.created_at,
        on_hand=on_hand,
        reserved=reserved,
        available=available,
        safety_units=held,
        available_to_promise=available_to_promise(available=available, safety_stock=held),
        locations=tuple(levels),
    )


async def movements(
    session: AsyncSession, sku_id: int, *, before: MovementKey | None, limit: int
) -> list[tuple[MovementKey, MovementRow]]:
    """The newest movements of a SKU before a key, newest first, each with its own key."""
    move = StockMovement
    order = (move.recorded_at, move.fact_id, move.line, move.location_id, move.kind)
    query = (
        select(move, Location.code, Channel.code, Fact.fact_ref)
        .join(Fact, Fact.id == move.fact_id)
        .join(Channel, Channel.id == Fact.channel_id)
        .join(Location, Location.id == move.location_id)
        .where(move.sku_id == sku_id)
        .order_by(*(column.desc() for column in order))
        .limit(limit)
    )
    if before is not None:
        last = (before.recorded_at, before.fact_id, before.line, before.location_id, before.kind)
        query = query.where(tuple_(*order) < tuple_(*last))
    rows = await session.execute(query)
    return [(_key(entry), _movement(entry, *about)) for entry, *about in rows]


def _key(entry: StockMovement) -> MovementKey:
    return MovementKey(entry.recorded_at, entry.fact_id, entry.line, entry.location_id, entry.kind)


def _movement(entry: StockMovement, location: str, channel: str, fact_ref: str) -> MovementRow:
    return MovementRow(
        kind=entry.kind,
        location=location,
        on_hand_delta=entry.on_hand_delta,
        reserved_delta=entry.reserved_delta,
        revision=entry.revision,
        reason=entry.reason,
        channel=channel,
        fact_ref=fact_ref,
        occurred_at=entry.occurred_at,
        recorded_at=entry.recorded_at,
    )


_UNBALANCED = text("""
SELECT s.code AS sku, l.code AS location, coalesce(v.on_hand, 0) AS on_hand,
  coalesce(m.on_hand, 0) AS on_hand_moved, coalesce(v.reserved, 0) AS reserved,
  coalesce(m.reserved, 0) AS reserved_moved
FROM stock_level v
FULL JOIN (
  SELECT sku_id, location_id, sum(on_hand_delta) AS on_hand, sum(reserved_delta) AS reserved
  FROM movement GROUP BY sku_id, location_id
) m USING (sku_id, location_id)
JOIN sku s ON s.id = sku_id JOIN location l ON l.id = location_id
WHERE coalesce(v.on_hand, 0) <> coalesce(m.on_hand, 0)
  OR coalesce(v.reserved, 0) <> coalesce(m.reserved, 0)
ORDER BY s.code, l.code LIMIT :most
""")


async def unbalanced(session: AsyncSession) -> list[Unbalanced]:
    """Up to 100 balances that are not the sum of their movements (L1); reads the whole ledger."""
    rows = await session.execute(_UNBALANCED, {"most": UNBALANCED_MAX})
    return [_unbalanced(row) for row in rows.mappings()]


def _unbalanced(row: RowMapping) -> Unbalanced:
    return Unbalanced(
        sku=row["sku"],
        location=row["location"],
        on_hand=row["on_hand"],
        on_hand_moved=int(row["on_hand_moved"]),
        reserved=row["reserved"],
        reserved_moved=int(row["reserved_moved"]),
    )


async def check_ledger(session: AsyncSession, now: datetime) -> LedgerCheck:
    """Compare all balances with their movements and keep the result, so that health can show it."""
    check = LedgerCheck(checked_at=now, unbalanced=tuple(await unbalanced(session)))
    value: dict[str, Any] = to_builtins(check)
    await session.execute(
        insert(Switch)
        .values(name=LEDGER_CHECK, value=value, changed_at=now)
        .on_conflict_do_update(index_elements=["name"], set_={"value": value, "changed_at": now})
    )
    return check
