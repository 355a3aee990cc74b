"""Measures how fast every SKU sells, once a day, by the rule of `inventory.alerting.pace`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from msgspec import Struct
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.alerting.pace import WINDOW_DAYS, Pace, Span, both, day_start, in_stock, pace, shares
from inventory.clock import JST
from inventory.models import Sku
from inventory.recipes import CONTENT

# No statement works on more than that at a time, however large the shop.
SLICE_DAYS = 7
SLICE_SKUS = 5_000

# Units ordered less those cancelled, by the Tokyo day of the order; of an order that ended as a
# whole, which need not say so of each line, those that had left. Of what is no kit, the units
# that orders took, those in kits included; of a kit, its own lines. Orders that channels fulfil by
# themselves take nothing here, and orders from before a connection name no SKU. A shop that is only
# looked at sells from the same pile: its orders take stock, and count here as they do in stock.
_SOLD = text("""
WITH placed AS (
  SELECT o.id, o.cancelled, (o.ordered_at AT TIME ZONE 'Asia/Tokyo')::date AS day
  FROM channel c JOIN sales_order o ON o.channel_id = c.id
  WHERE o.ordered_at >= :since AND o.ordered_at < :until
    AND NOT o.past AND NOT o.fulfilled_by_channel
), line AS (
  SELECT l.order_id, l.line_ref, l.sku_id, p.day,
    CASE WHEN p.cancelled THEN least(l.shipped, l.ordered)
      ELSE greatest(l.ordered - l.cancelled, 0) END AS units
  FROM placed p JOIN order_line l ON l.order_id = p.id
), took AS (
  SELECT p.order_id, p.line_ref, p.sku_id, max(p.per_unit) AS per_unit
  FROM order_part p WHERE p.order_id IN (SELECT id FROM placed) GROUP BY 1, 2, 3
)
SELECT t.sku_id, l.day, sum(l.units * t.per_unit) AS units
FROM line l JOIN took t ON t.order_id = l.order_id AND t.line_ref = l.line_ref
GROUP BY t.sku_id, l.day HAVING sum(l.units) > 0
UNION ALL
SELECT l.sku_id, l.day, sum(l.units) FROM line l
WHERE EXISTS (SELECT FROM kit_part k WHERE k.kit_id = l.sku_id)
GROUP BY l.sku_id, l.day HAVING sum(l.units) > 0
""")
# Reckoned back from the present: whether units are available at the sellable locations, and the
# moments at which that changed. A movement is recorded after it happened, but for clocks that
# differ.
_FLIPS = text("""
WITH held AS (
  SELECT b.sku_id, sum(b.on_hand - b.reserved) AS available
  FROM stock_level b JOIN location l ON l.id = b.location_id AND l.sellable
  WHERE b.sku_id >= :first AND b.sku_id < :beyond GROUP BY b.sku_id
), step AS (
  SELECT m.sku_id, m.occurred_at AS at, sum(m.on_hand_delta - m.reserved_delta) AS change
  FROM movement m JOIN location l ON l.id = m.location_id AND l.sellable
  WHERE m.recorded_at >= CAST(:since AS timestamptz) - interval '1 day' AND m.occurred_at >= :since
    AND m.sku_id >= :first AND m.sku_id < :beyond
  GROUP BY m.sku_id, m.occurred_at
), reckoned AS (
  SELECT s.sku_id, s.at, s.change, h.available + s.change
    - sum(s.change) OVER (PARTITION BY s.sku_id ORDER BY s.at DESC) AS after
  FROM step s JOIN held h ON h.sku_id = s.sku_id
)
SELECT h.sku_id, h.available > 0 AS now_in_stock,
  coalesce(array_agg(r.at ORDER BY r.at) FILTER (WHERE (r.after > 0) <> (r.after - r.change > 0)),
    '{}') AS flips
FROM held h LEFT JOIN reckoned r ON r.sku_id = h.sku_id GROUP BY h.sku_id, h.available
""")
_KITS = text(f"""
WITH RECURSIVE asked (sku_id) AS (SELECT DISTINCT kit_id FROM kit_part), {CONTENT}
SELECT sku_id, array_agg(part_id) AS parts FROM content GROUP BY sku_id
""")  # noqa: S608 -- constants
_KEEP = text("""
INSERT INTO sku_pace (sku_id, sold, days, per_day, since, until)
SELECT n.sku_id, n.sold, n.days, n.per_day, :first, :last FROM unnest(CAST(:ids AS int[]),
  CAST(:sold AS int[]), CAST(:days AS float8[]), CAST(:per_day AS float8[]))
  AS n (sku_id, sold, days, per_day) ORDER BY n.sku_id
ON CONFLICT (sku_id) DO UPDATE SET sold = excluded.sold, days = excluded.days,
  per_day = excluded.per_day, since = excluded.since, until = excluded.until
""")


class Seen(Struct, frozen=True, kw_only=True):
    """What the books say of the window: sold units, spans in stock, parts of kits; by SKU id."""

    sold: Mapping[int, Mapping[date, int]]
    spans: Mapping[int, Sequence[Span]]
    kits: Mapping[int, Sequence[int]]


async def measure(session: AsyncSession, now: datetime) -> int:
    """Measure every SKU over the 28 Tokyo days before today, and keep it; how many had a day.

    A kit is out of stock while any of its parts is. A SKU without a day in stock keeps its last
    figure.
    """
    today = now.astimezone(JST).date()
    first = today - timedelta(days=WINDOW_DAYS)
    since, until = day_start(first), day_start(today)
    seen = await _seen(session, since, until)
    found = await asyncio.to_thread(paces, seen)
    if found:
        values = {
            "ids": list(found),
            "sold": [each.sold for each in found.values()],
            "days": [each.days for each in found.values()],
            "per_day": [each.per_day for each in found.values()],
        }
        await session.execute(_KEEP, values | {"first": first, "last": today})
    return len(found)


async def _seen(session: AsyncSession, since: datetime, until: datetime) -> Seen:
    sold: dict[int, dict[date, int]] = {}
    for days in range(0, WINDOW_DAYS, SLICE_DAYS):
        start = since + timedelta(days=days)
        window = {"since": start, "until": start + timedelta(days=SLICE_DAYS)}
        for sku_id, day, units in await session.execute(_SOLD, window):
            sold.setdefault(sku_id, {})[day] = int(units)
    spans: dict[int, list[Span]] = {}
    last = await session.scalar(select(func.max(Sku.id))) or 0
    for first in range(0, last + 1, SLICE_SKUS):
        some = {"since": since, "first": first, "beyond": first + SLICE_SKUS}
        for sku_id, inside, flips in await session.execute(_FLIPS, some):
            spans[sku_id] = in_stock(flips, now_in_stock=inside, since=since, until=until)
    kits = {row.sku_id: row.parts for row in await session.execute(_KITS)}
    return Seen(sold=sold, spans=spans, kits=kits)


def paces(seen: Seen) -> dict[int, Pace]:
    """SKU id → its pace, of those with a day in stock."""
    spans = dict(seen.spans)
    for kit, parts in seen.kits.items():
        whole: Sequence[Span] = seen.spans.get(parts[0], ())
        for part in parts[1:]:
            whole = both(whole, seen.spans.get(part, ()))
        spans[kit] = whole
    found: dict[int, Pace] = {}
    for sku_id, own in spans.items():
        measured = pace(seen.sold.get(sku_id, {}), shares(own))
        if measured is not None:
            found[sku_id] = measured
    return found
