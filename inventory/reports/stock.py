"""Reads of the ledger: SKUs with their stock now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import kits
from inventory.models import KitPart, Location, Sku, StockLevel
from inventory.quantities import available_to_promise, held_back


class LocationStock(Struct, frozen=True, kw_only=True):
    """Units of one SKU at one location."""

    location: str
    sellable: bool
    on_hand: int
    reserved: int


class SkuStock(Struct, frozen=True, kw_only=True):
    """One SKU with its stock. `on_hand` to `available_to_promise` are of the sellable locations.

    A `kit` has nothing on hand of its own: what is available are whole kits, by its parts.
    `safety_units` are held back now: the greater of `safety_stock` and `safety_percent`.
    """

    id: int
    code: str
    name: str
    safety_stock: int
    safety_percent: int
    created_at: datetime
    kit: bool
    on_hand: int
    reserved: int
    available: int
    safety_units: int
    available_to_promise: int
    locations: tuple[LocationStock, ...]


async def skus(session: AsyncSession, *, after_id: int, limit: int) -> list[SkuStock]:
    """SKUs by id, with their stock."""
    rows = await session.scalars(select(Sku).where(Sku.id > after_id).order_by(Sku.id).limit(limit))
    return await _stock_of(session, list(rows))


async def sku(session: AsyncSession, found: Sku) -> SkuStock:
    """One SKU with its stock."""
    [stock] = await _stock_of(session, [found])
    return stock


async def _stock_of(session: AsyncSession, found: Sequence[Sku]) -> list[SkuStock]:
    sku_ids = [each.id for each in found]
    rows = await session.execute(
        select(StockLevel, Location)
        .join(Location, Location.id == StockLevel.location_id)
        .where(StockLevel.sku_id.in_(sku_ids))
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
    made = await session.scalars(select(KitPart.kit_id).where(KitPart.kit_id.in_(sku_ids)))
    whole = await kits.available(session, set(made))
    return [_sku_stock(each, levels.get(each.id, []), whole.get(each.id)) for each in found]


def _sku_stock(found: Sku, levels: Sequence[LocationStock], kits_whole: int | None) -> SkuStock:
    on_hand = sum(level.on_hand for level in levels if level.sellable)
    reserved = sum(level.reserved for level in levels if level.sellable)
    available = on_hand - reserved if kits_whole is None else kits_whole
    held = held_back(available, units=found.safety_stock, percent=found.safety_percent)
    return SkuStock(
        id=found.id,
        code=found.code,
        name=found.name,
        safety_stock=found.safety_stock,
        safety_percent=found.safety_percent,
        created_at=found.created_at,
        kit=kits_whole is not None,
        on_hand=on_hand,
        reserved=reserved,
        available=available,
        safety_units=held,
        available_to_promise=available_to_promise(available=available, safety_stock=held),
        locations=tuple(levels),
    )
