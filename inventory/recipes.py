"""What is in a kit today, and which kits hold a part: recipes read through kits in kits."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.models import KitPart

# Behind `WITH RECURSIVE asked (sku_id) AS (…)`, which has each SKU once: the SKUs that are counted
# in one unit of it. That is the SKU itself, or the parts of a kit, however deep.
CONTENT = """
taken (sku_id, part_id, units) AS (
  SELECT a.sku_id, k.part_id, k.quantity::bigint FROM asked a JOIN kit_part k ON k.kit_id = a.sku_id
  UNION ALL
  SELECT t.sku_id, k.part_id, t.units * k.quantity
  FROM taken t JOIN kit_part k ON k.kit_id = t.part_id
), content (sku_id, part_id, units, in_kit) AS (
  SELECT t.sku_id, t.part_id, sum(t.units), true FROM taken t
  WHERE NOT EXISTS (SELECT FROM kit_part k WHERE k.kit_id = t.part_id) GROUP BY t.sku_id, t.part_id
  UNION ALL
  SELECT a.sku_id, a.sku_id, 1, false FROM asked a
  WHERE NOT EXISTS (SELECT FROM kit_part k WHERE k.kit_id = a.sku_id)
)
"""

# What can be promised of one part, its own safety stock held back where it goes into a kit;
# `p` is its SKU, `v` its units in the pool, `r` its row of `content`.
FREE = """
v.on_hand - v.reserved - CASE WHEN r.in_kit THEN greatest(p.safety_stock,
  ceil(greatest(v.on_hand - v.reserved, 0) * p.safety_percent / 100.0)) ELSE 0 END
"""

# Units that a channel's number says were sold, and whose orders are not in the ledger yet. Order
# times are cut off to the second: an order counts as seen where all of its second lies within.
EARLY = """
early (listing_id, channel_id, sku_id, units) AS (
  SELECT h.listing_id, h.channel_id, h.sku_id, h.units - coalesce((
    SELECT sum(o.ordered) FROM order_line o
    WHERE o.listing_id = h.listing_id AND o.ordered_at >= lower(h.span)
      AND h.span @> tstzrange(o.ordered_at, o.ordered_at + interval '1 second')), 0)
  FROM (
    SELECT e.listing_id, l.channel_id, l.sku_id, sum(e.units) AS units,
      range_agg(tstzrange(e.since, e.until, '(]')) AS span
    FROM early_sale e JOIN listing l ON l.id = e.listing_id JOIN channel c ON c.id = l.channel_id
    WHERE c.watermark IS NULL OR c.watermark < e.until
    GROUP BY e.listing_id, l.channel_id, l.sku_id
  ) h
)
"""

# Behind `WITH RECURSIVE chosen (id, channel_id, sku_id) AS (…)`, which has each listing once: one
# row for each listing, with the part that is the scarcest in the channel's pool. `available` counts
# units, or whole kits. `revision` is the ledger's: of a kit, the sum over its parts. `early` units
# were sold for all we know, and count as reserved in every pool that shares a location with theirs.
STOCK = f"""
{EARLY}, asked (sku_id) AS (
  SELECT sku_id FROM chosen UNION SELECT sku_id FROM early WHERE units > 0
), {CONTENT}, held (channel_id, part_id, units) AS (
  SELECT e.channel_id, r.part_id, e.units * r.units
  FROM early e JOIN content r ON r.sku_id = e.sku_id WHERE e.units > 0
), part AS (
  SELECT l.id AS listing_id, r.in_kit, r.units, p.code, v.on_hand, v.reserved, v.early, v.revision,
    {FREE} AS free
  FROM chosen l JOIN channel c ON c.id = l.channel_id
  JOIN content r ON r.sku_id = l.sku_id JOIN sku p ON p.id = r.part_id
  CROSS JOIN LATERAL (
    SELECT coalesce(sum(h.units), 0) AS units FROM held h JOIN channel w ON w.id = h.channel_id
    WHERE h.part_id = r.part_id AND (w.location_ids IS NULL OR c.location_ids IS NULL
      OR w.location_ids && c.location_ids)
  ) h
  CROSS JOIN LATERAL (
    SELECT coalesce(sum(s.on_hand) FILTER (WHERE s.fed), 0) AS on_hand,
      coalesce(sum(s.reserved) FILTER (WHERE s.fed), 0) + h.units AS reserved,
      h.units AS early, coalesce(sum(s.revision), 0) AS revision
    FROM (
      SELECT b.on_hand, b.reserved, b.revision, b.location_id = ANY(
        coalesce(c.location_ids, ARRAY(SELECT id FROM location WHERE sellable))) AS fed
      FROM stock_level b WHERE b.sku_id = r.part_id
    ) s
  ) v
), stock AS (
  SELECT DISTINCT ON (listing_id) listing_id, in_kit, units, code, on_hand, reserved, free,
    floor(free / units) AS available, sum(revision) OVER (PARTITION BY listing_id) AS revision,
    sum(early) OVER (PARTITION BY listing_id) AS early
  FROM part ORDER BY listing_id, floor(free / units), code
)
"""  # noqa: S608 -- constants

# How far the listing `l` may sell below zero now. Nothing is expected of a kit.
AHEAD = """
CASE WHEN l.preorder_units > 0 THEN least(l.preorder_units, coalesce((
  SELECT sum(i.expected - i.received) FROM inbound_supply i
  WHERE i.sku_id = l.sku_id AND NOT i.ended AND i.received < i.expected), 0)) ELSE 0 END
"""

# Behind `WITH RECURSIVE asked (sku_id) AS (…)`: units, or whole kits, available at all sellable
# locations.
STAND = f"""
{CONTENT}, level AS (
  SELECT r.sku_id, r.units, {FREE} AS free
  FROM content r JOIN sku p ON p.id = r.part_id
  LEFT JOIN LATERAL (
    SELECT coalesce(sum(b.on_hand), 0) AS on_hand, coalesce(sum(b.reserved), 0) AS reserved
    FROM stock_level b JOIN location l ON l.id = b.location_id AND l.sellable
    WHERE b.sku_id = r.part_id
  ) v ON true
), stand AS (
  SELECT sku_id, min(floor(free / units))::bigint AS available FROM level GROUP BY sku_id
)
"""  # noqa: S608 -- constants

_HOLDING = text("""
WITH RECURSIVE holding (kit_id) AS (
  SELECT kit_id FROM kit_part WHERE part_id = ANY(:ids)
  UNION
  SELECT k.kit_id FROM kit_part k JOIN holding h ON k.part_id = h.kit_id
)
SELECT kit_id FROM holding
""")


async def kits_holding(session: AsyncSession, sku_ids: Collection[int]) -> set[int]:
    """The kits that hold one of these SKUs, however deep."""
    return set(await session.scalars(_HOLDING, {"ids": sorted(sku_ids)}))


async def kits_among(session: AsyncSession, sku_ids: Collection[int]) -> Sequence[int]:
    """Those of these SKUs that are kits, by id."""
    query = select(KitPart.kit_id).where(KitPart.kit_id.in_(sku_ids)).distinct()
    return list(await session.scalars(query.order_by(KitPart.kit_id)))
