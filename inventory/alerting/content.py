"""What a buyer can act on: stock, pace, cover, what comes, what to order, where it sells."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime

from msgspec import Struct
from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.alerting.advice import COVER_DAYS, Inbound, Situation, advise
from inventory.alerting.why import why, why_ja
from inventory.clock import JST
from inventory.recipes import STAND

INBOUND_MAX = 5
PLACES_MAX = 20


class SellsOn(Struct, frozen=True, kw_only=True):
    """A listing of the SKU; `as_kit` is the kit that it is a part of there. It `shows` units."""

    channel: str
    channel_sku: str
    shows: int | None
    as_kit: str | None = None


class BuyerAdvice(Struct, frozen=True, kw_only=True):
    """All that a buyer can act on about one SKU, as of now. Units, whole days in Tokyo.

    `sold_per_day` is measured (`hikiate` counts days in stock only), None while it is not known.
    `inbound` are the next five; `order_by` may lie in the past. `sells_on` are twenty at most.
    """

    sku: str
    name: str
    category: str | None
    supplier: str | None
    available: int
    sold_per_day: float | None
    days_of_cover: float | None
    runs_out_on: date | None
    inbound: tuple[Inbound, ...]
    lead_days: int | None
    order_by: date | None
    suggested_quantity: int | None
    pack_size: int
    why: str
    why_ja: str
    sells_on: tuple[SellsOn, ...]


_STANDING = text(f"""
WITH RECURSIVE asked (sku_id) AS (SELECT id FROM sku WHERE id = ANY(:ids)), {STAND}
SELECT s.id, s.code, s.name, stand.available, b.category, u.code AS supplier, u.lead_days,
  coalesce(u.cover_days, :cover) AS cover_days, coalesce(b.pack_size, 1) AS pack_size,
  p.per_day, p.days
FROM stand JOIN sku s ON s.id = stand.sku_id
LEFT JOIN buying_terms b ON b.sku_id = s.id LEFT JOIN supplier u ON u.id = b.supplier_id
LEFT JOIN sku_pace p ON p.sku_id = s.id
""")  # noqa: S608 -- constants
_INBOUND = text("""
SELECT sku_id, due_on, sum(expected - received) AS units FROM inbound_supply
WHERE sku_id = ANY(:ids) AND NOT ended AND received < expected
GROUP BY sku_id, due_on ORDER BY sku_id, due_on
""")
# Listings of the SKU itself come first, then those of kits that hold it, however deep. To a shop
# that was never live nothing is sent: there, what it shows by itself.
_SELLS = text("""
WITH RECURSIVE sold (sku_id, as_sku) AS (
  SELECT id, id FROM unnest(CAST(:ids AS int[])) AS id
  UNION
  SELECT d.sku_id, k.kit_id FROM sold d JOIN kit_part k ON k.part_id = d.as_sku
)
SELECT * FROM (
  SELECT d.sku_id, c.code AS channel, l.channel_sku, CASE WHEN c.frozen AND c.live_at IS NULL
      THEN l.quantity_known ELSE l.quantity_published END AS shows,
    CASE WHEN d.as_sku <> d.sku_id THEN s.code END AS as_kit,
    row_number() OVER (PARTITION BY d.sku_id ORDER BY d.as_sku <> d.sku_id, c.id, l.id) AS place
  FROM sold d JOIN listing l ON l.sku_id = d.as_sku JOIN channel c ON c.id = l.channel_id
  JOIN sku s ON s.id = d.as_sku
) AS n WHERE place <= :most ORDER BY sku_id, place
""")


async def advice(
    session: AsyncSession, sku_ids: Collection[int], now: datetime
) -> dict[int, BuyerAdvice]:
    """SKU id → what a buyer can act on now, for SKUs that exist."""
    ids = sorted(set(sku_ids))
    if not ids:
        return {}
    today = now.astimezone(JST).date()
    inbound: dict[int, list[Inbound]] = {}
    for sku_id, due_on, units in await session.execute(_INBOUND, {"ids": ids}):
        coming = Inbound(due_on=due_on, units=units, late=due_on < today)
        inbound.setdefault(sku_id, []).append(coming)
    sells: dict[int, list[SellsOn]] = {}
    for row in (await session.execute(_SELLS, {"ids": ids, "most": PLACES_MAX})).mappings():
        names = ("channel", "channel_sku", "shows", "as_kit")
        sells.setdefault(row["sku_id"], []).append(SellsOn(**{name: row[name] for name in names}))
    rows = await session.execute(_STANDING, {"ids": ids, "cover": COVER_DAYS})
    return {
        row["id"]: _advice(row, inbound.get(row["id"], []), sells.get(row["id"], []), today)
        for row in rows.mappings()
    }


def _advice(
    row: RowMapping, inbound: Sequence[Inbound], sells: Sequence[SellsOn], today: date
) -> BuyerAdvice:
    case = Situation(
        today=today,
        available=row["available"],
        per_day=row["per_day"],
        inbound=tuple(inbound),
        lead_days=row["lead_days"],
        cover_days=row["cover_days"],
        pack_size=row["pack_size"],
    )
    found = advise(case)
    cover = found.days_of_cover
    return BuyerAdvice(
        sku=row["code"],
        name=row["name"],
        category=row["category"],
        supplier=row["supplier"],
        available=case.available,
        sold_per_day=None if case.per_day is None else round(case.per_day, 2),
        days_of_cover=None if cover is None else round(cover, 1),
        runs_out_on=found.runs_out_on,
        inbound=tuple(inbound[:INBOUND_MAX]),
        lead_days=case.lead_days,
        order_by=found.order_by,
        suggested_quantity=found.suggested_quantity,
        pack_size=case.pack_size,
        why=why(case, found, measured_days=row["days"]),
        why_ja=why_ja(case, found, measured_days=row["days"]),
        sells_on=tuple(sells),
    )
