"""Kits (セット商品): SKUs without stock of their own, made of parts; their recipes and stands."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct
from sqlalchemy import delete, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import audit
from inventory.catalogue import mark_stale, sku_by_code
from inventory.errors import BadInput, UnknownSku, WrongState
from inventory.fields import Code
from inventory.models import InboundSupply, KitPart, Listing, Sku, StockLevel
from inventory.recipes import CONTENT, STAND, kits_holding
from inventory.standstill import standstill

PARTS_MAX = 100
DEPTH_MAX = 5
UNITS_MAX = 10_000
NAMED_MAX = 10

PartUnits = Annotated[int, Meta(ge=1, le=UNITS_MAX, description="Units, 1 to 10,000.")]
# Kit id → part id → units.
Recipes = Mapping[int, Mapping[int, int]]


class Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Units of one SKU, or of another kit, in one kit."""

    sku: Code
    quantity: PartUnits


class Parts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that is in one kit, up to 100 parts, each SKU once. No parts: it is no kit any more."""

    parts: Annotated[list[Part], Meta(max_length=PARTS_MAX)]


class KitShown(Struct, frozen=True, kw_only=True):
    """What is in one unit of a SKU today; no `parts` where it is no kit.

    `contents` are the SKUs that a sale takes, through kits in kits. `available` counts whole kits,
    or units of a SKU that is no kit, at the sellable locations; the safety stock of the parts is
    taken off, that of the kit is not.
    """

    sku: str
    parts: tuple[Part, ...]
    contents: tuple[Part, ...]
    available: int


async def put_parts(
    session: AsyncSession, code: str, parts: Sequence[Part], *, by: str, now: datetime
) -> Sku:
    """Make a SKU a kit of these parts, change its recipe, or with no parts make it no kit.

    Sales keep the parts that they took. Raises `UnknownSku`; `BadInput` for a kit in itself, for
    kits more than five deep or of more than 10,000 units, in this kit or one that holds it;
    `WrongState` where a SKU that was counted, is expected or is sold ahead would become a kit;
    `TooBusy` when the ledger did not come to a standstill.
    """
    # Two changes at once could make a circle of which neither sees the other half.
    await session.execute(text("LOCK TABLE kit_part IN SHARE ROW EXCLUSIVE MODE"))
    kit = await sku_by_code(session, code)
    units = await _units(session, kit, parts)
    before = await _recipes(session, [kit.id])
    if before.get(kit.id, {}) == units:
        return kit
    holding = await kits_holding(session, [kit.id])
    known = await _recipes(session, {kit.id, *holding, *units})
    wrong = problem(dict(known) | {kit.id: units}, {kit.id, *holding})
    if wrong is not None:
        said, path = wrong
        raise BadInput(said + " " + " > ".join(await _codes(session, path)))
    if units and kit.id not in before:
        await standstill(session)
        await _refuse_if_counted(session, kit)
    await session.execute(delete(KitPart).where(KitPart.kit_id == kit.id))
    session.add_all(
        KitPart(kit_id=kit.id, part_id=part_id, quantity=n) for part_id, n in units.items()
    )
    shown = [{"sku": part.sku, "quantity": part.quantity} for part in parts]
    audit.note(session, by=by, action="kit.changed", detail={"sku": code, "parts": shown}, now=now)
    await session.flush()
    await mark_stale(session, {kit.id, *holding}, now)
    return kit


async def _units(session: AsyncSession, kit: Sku, parts: Sequence[Part]) -> dict[int, int]:
    """Part id → units."""
    wanted = {part.sku: part.quantity for part in parts}
    if len(wanted) < len(parts):
        raise BadInput("each part may be named once")
    rows = await session.execute(select(Sku.code, Sku.id).where(Sku.code.in_(wanted)))
    found = dict(rows.all())
    missing = [code for code in wanted if code not in found]
    if missing:
        more = f" and {len(missing) - NAMED_MAX} more" if len(missing) > NAMED_MAX else ""
        raise UnknownSku("no SKU " + ", ".join(missing[:NAMED_MAX]) + more)
    if kit.id in found.values():
        raise BadInput(f"a kit cannot be in itself: {kit.code} > {kit.code}")
    return {found[code]: quantity for code, quantity in wanted.items()}


_BELOW = text("""
WITH RECURSIVE below (kit_id) AS (
  SELECT unnest(CAST(:ids AS int[]))
  UNION
  SELECT k.part_id FROM kit_part k JOIN below b ON k.kit_id = b.kit_id
)
SELECT k.kit_id, k.part_id, k.quantity FROM kit_part k JOIN below b ON k.kit_id = b.kit_id
""")


async def _recipes(session: AsyncSession, sku_ids: Collection[int]) -> Recipes:
    """The recipes of these SKUs and of all kits in them."""
    recipes: dict[int, dict[int, int]] = {}
    for kit_id, part_id, units in await session.execute(_BELOW, {"ids": sorted(sku_ids)}):
        recipes.setdefault(kit_id, {})[part_id] = units
    return recipes


def problem(recipes: Recipes, kit_ids: Collection[int]) -> tuple[str, list[int]] | None:
    """What is wrong with one of these kits, and the SKU ids that it is said of; None if nothing is.

    Pure. Depth counts kits in a kit, itself included; units are those of all parts together.
    """
    depths: dict[int, int] = {}
    units: dict[int, int] = {}
    for sku_id, path in _deepest_first(recipes, sorted(kit_ids)):
        if sku_id in path:
            return "a kit cannot be in itself:", [*path[path.index(sku_id) :], sku_id]
        parts = recipes.get(sku_id, {})
        depths[sku_id] = 1 + max(depths[part] for part in parts) if parts else 0
        units[sku_id] = sum(n * units[part] for part, n in parts.items()) if parts else 1
        if depths[sku_id] > DEPTH_MAX:
            return f"kits in kits go {DEPTH_MAX} deep at most:", [*path, sku_id]
        if units[sku_id] > UNITS_MAX:
            return f"a kit has at most {UNITS_MAX} units in all:", [*path, sku_id]
    return None


def _deepest_first(
    recipes: Recipes, kit_ids: Sequence[int]
) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Every SKU after all its parts, with the kits through which it was reached.

    One that is met again inside itself is told with itself in its path, and not entered.
    """
    done: set[int] = set()
    stack: list[tuple[int, tuple[int, ...], bool]] = [(each, (), False) for each in kit_ids]
    while stack:
        sku_id, path, ready = stack.pop()
        if ready or sku_id in path:
            done.add(sku_id)
            yield sku_id, path
        elif sku_id not in done:
            stack.append((sku_id, path, True))
            stack += [(part, (*path, sku_id), False) for part in recipes.get(sku_id, {})]


async def _codes(session: AsyncSession, sku_ids: Sequence[int]) -> list[str]:
    rows = await session.execute(select(Sku.id, Sku.code).where(Sku.id.in_(sku_ids)))
    codes = dict(rows.all())
    return [codes[sku_id] for sku_id in sku_ids]


async def _refuse_if_counted(session: AsyncSession, sku: Sku) -> None:
    """What was ever counted keeps its balance, and with it its history; a kit has neither."""
    counted = select(StockLevel.sku_id).where(StockLevel.sku_id == sku.id)
    if await session.scalar(counted.limit(1)) is not None:
        raise WrongState(f"{sku.code} has stock or movements of its own: it cannot become a kit")
    expected = select(InboundSupply.id).where(InboundSupply.sku_id == sku.id)
    if await session.scalar(expected.limit(1)) is not None:
        raise WrongState(f"{sku.code} is expected from a supplier: it cannot become a kit")
    ahead = select(Listing.id).where(Listing.sku_id == sku.id, Listing.preorder_units > 0)
    if await session.scalar(ahead.limit(1)) is not None:
        raise WrongState(f"a listing of {sku.code} sells ahead of supply: it cannot become a kit")


_PARTS = text("""
SELECT s.code AS sku, k.quantity FROM kit_part k JOIN sku s ON s.id = k.part_id
WHERE k.kit_id = :id ORDER BY s.code
""")
_CONTENTS = text(f"""
WITH RECURSIVE asked (sku_id) AS (SELECT CAST(:id AS int)), {CONTENT}
SELECT s.code AS sku, r.units::int AS quantity FROM content r JOIN sku s ON s.id = r.part_id
WHERE r.in_kit ORDER BY s.code
""")  # noqa: S608 -- constants
_AVAILABLE = text(f"""
WITH RECURSIVE asked (sku_id) AS (SELECT DISTINCT unnest(CAST(:ids AS int[]))), {STAND}
SELECT sku_id, available FROM stand
""")  # noqa: S608 -- constants


async def shown(session: AsyncSession, sku: Sku) -> KitShown:
    """A SKU's recipe, what a sale of it takes, and how many are available."""
    parts = await session.execute(_PARTS, {"id": sku.id})
    contents = await session.execute(_CONTENTS, {"id": sku.id})
    return KitShown(
        sku=sku.code,
        parts=tuple(Part(**row) for row in parts.mappings()),
        contents=tuple(Part(**row) for row in contents.mappings()),
        available=(await available(session, [sku.id]))[sku.id],
    )


async def available(session: AsyncSession, sku_ids: Collection[int]) -> dict[int, int]:
    """SKU id → units, or whole kits, available at the sellable locations."""
    rows = await session.execute(_AVAILABLE, {"ids": sorted(sku_ids)})
    return dict(rows.all())
