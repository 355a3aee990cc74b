"""The sales of one oversell's story: who sold what when, when it reached us, what was too much."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

# Before the case opened, and after it: so many of each are told.
SALES_MAX = 100


class Sale(Struct, frozen=True, kw_only=True):
    """One order as far as it took units of the SKU; `units` are of that SKU, also from kits.

    `sold_at` is the channel's time (whole seconds at most marketplaces), `reached_at` when we
    booked it. `beyond_stock`: it was among the newest sales, for which there was nothing left.
    `listing` is our number of the listing it was sold from.
    """

    channel: str
    kind: str
    order_ref: str
    listing: int | None
    channel_sku: str | None
    units: int
    sold_at: datetime
    reached_at: datetime
    late_seconds: float
    cancelled_at: datetime | None
    beyond_stock: bool = False


_PICKED = """
SELECT i.order_id, i.line_ref FROM unnest(CAST(:listings AS int[])) AS g (id)
CROSS JOIN LATERAL (
  SELECT x.order_id, x.line_ref FROM order_line x
  WHERE x.listing_id = g.id AND x.ordered_at {when} ORDER BY x.ordered_at {order} LIMIT :most
) i
"""
_SALES = text(f"""
WITH picked AS (
  ({_PICKED.format(when="<= :opened", order="DESC")})
  UNION ({_PICKED.format(when="> :opened AND x.ordered_at <= :until", order="ASC")})
  UNION SELECT l.order_id, l.line_ref FROM cancellation c
    JOIN order_line l ON l.order_id = c.order_id WHERE c.oversell_id = :case
)
SELECT h.code AS channel, h.kind, o.order_ref, l.listing_id AS listing, g.channel_sku,
  cast(sum(l.ordered * p.per_unit) AS int) AS units, o.ordered_at AS sold_at,
  o.recorded_at AS reached_at, o.cancelled_at,
  cast(extract(epoch FROM o.recorded_at - o.ordered_at) AS float8) AS late_seconds,
  bool_or(c.id IS NOT NULL) AS given_up
FROM picked k
JOIN order_line l ON l.order_id = k.order_id AND l.line_ref = k.line_ref
JOIN sales_order o ON o.id = l.order_id JOIN channel h ON h.id = o.channel_id
CROSS JOIN LATERAL (
  SELECT max(x.per_unit) AS per_unit FROM order_part x
  WHERE x.order_id = l.order_id AND x.line_ref = l.line_ref AND x.sku_id = :sku
) p
LEFT JOIN listing g ON g.id = l.listing_id
LEFT JOIN cancellation c ON c.order_id = o.id AND c.oversell_id = :case
WHERE p.per_unit IS NOT NULL AND o.ordered_at IS NOT NULL AND o.recorded_at <= :until
GROUP BY h.id, o.id, l.listing_id, g.channel_sku
ORDER BY o.ordered_at, o.recorded_at, o.id
""")  # noqa: S608 -- constants


async def sales(
    session: AsyncSession,
    case_id: int,
    sku_id: int,
    listing_ids: Sequence[int],
    *,
    opened_at: datetime,
    until: datetime,
) -> tuple[list[Sale], int]:
    """The sales nearest to the opening, oldest first, and how many were left out.

    At most 100 before it and 100 after it; orders given up for the case are never left out.
    """
    values = {"case": case_id, "sku": sku_id, "listings": list(listing_ids)}
    values |= {"opened": opened_at, "until": until, "most": SALES_MAX + 1}
    rows = (await session.execute(_SALES, values)).mappings().all()
    before = [row for row in rows if row["sold_at"] <= opened_at]
    after = [row for row in rows if row["sold_at"] > opened_at]
    near = {id(row) for row in (*before[-SALES_MAX:], *after[:SALES_MAX])}
    kept = [row for row in rows if id(row) in near or row["given_up"]]
    told = [Sale(**{name: row[name] for name in _COLUMNS}) for row in kept]
    return told, len(rows) - len(kept)


_COLUMNS = (
    *("channel", "kind", "order_ref", "listing", "channel_sku", "units", "sold_at", "reached_at"),
    *("late_seconds", "cancelled_at"),
)


def beyond_stock(sales: Sequence[Sale], *, shortage: int, opened_at: datetime) -> list[Sale]:
    """The same sales, those marked for which nothing was left: the newest, `shortage` units' worth.

    A sale that had ended before the case opened promised nothing any more. Pure.
    """
    missing, marked = shortage, list(sales)
    for number in reversed(range(len(marked))):
        sale = marked[number]
        if missing <= 0:
            break
        if over(sale, opened_at):
            continue
        marked[number] = replace(sale, beyond_stock=True)
        missing -= sale.units
    return marked


def over(sale: Sale, opened_at: datetime) -> bool:
    """Whether the order had ended before the case opened."""
    return sale.cancelled_at is not None and sale.cancelled_at <= opened_at
