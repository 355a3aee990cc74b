"""What an entry of the penalty record says beside the metric: cause, lines, thresholds, cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.models import Cancellation
from inventory.penalties import AnyRules, Metric
from inventory.reasons import Asker
from inventory.vocabulary import Reason

# Our own requests carry a reason; whoever else ended an order is an asker already.
_CAUSES = {
    Reason.OUT_OF_STOCK.value: Asker.SHOP_OUT_OF_STOCK.value,
    Reason.BUYER_REQUEST.value: Asker.BUYER_REQUEST.value,
}
TOTAL = "total_yen"
PART = "_yen"
# What giving up a part would have saved stands beside the cost, and is no part of it.
_BESIDE = frozenset({TOTAL, "part_saves_yen"})

# What an order (`o`) was worth that ended as a whole: all that was ever ordered, but for parts that
# ended before it and have entries of their own. Unknown as soon as one price is.
WORTH = """((SELECT CASE WHEN bool_and(l.unit_price IS NOT NULL)
    THEN cast(sum(cast(l.unit_price AS bigint) * (l.ordered + l.lowered)) AS bigint) END
  FROM order_line l WHERE l.order_id = o.id AND l.ordered + l.lowered > 0)
- (SELECT CASE WHEN count(*) = count(e.worth_yen)
    THEN cast(coalesce(sum(e.worth_yen), 0) AS bigint) END
  FROM penalty_entry e WHERE e.order_id = o.id AND e.part > 0))"""

_LINES = text("""
SELECT l.line_ref, g.channel_sku, s.code AS sku, l.ordered, l.cancelled, l.shipped, l.unit_price,
  greatest(l.ordered + l.lowered - l.shipped - coalesce((
    SELECT sum(cast(ended ->> 'units' AS int))
    FROM penalty_entry e CROSS JOIN LATERAL jsonb_array_elements(e.lines) AS ended
    WHERE e.order_id = l.order_id AND e.part > 0 AND ended ->> 'line_ref' = l.line_ref
  ), 0), 0) AS units
FROM order_line l LEFT JOIN listing g ON g.id = l.listing_id LEFT JOIN sku s ON s.id = l.sku_id
WHERE l.order_id = :order ORDER BY l.line_ref
""")


def cause_of(reason: str) -> str:
    """Who asked for the end and why, in the words of `reasons.Asker`."""
    return _CAUSES.get(reason, reason)


def thresholds_of(rules: AnyRules | None) -> dict[str, Any] | None:
    """The rules that a metric was computed by, with their as-of date; None without a metric."""
    if rules is None:
        return None
    found: dict[str, Any] = msgspec.to_builtins(rules)
    return {"metric": rules.name, **found}


async def lines_of(session: AsyncSession, order_id: int) -> list[dict[str, Any]]:
    """An order's lines as they are now. A line of an order from before our time names no SKU.

    `units` are those that end, or would, with the whole order: not those of parts that ended.
    """
    rows = await session.execute(_LINES, {"order": order_id})
    return [dict(row) for row in rows.mappings()]


_RECORD = text("""
UPDATE order_line SET ends_recorded = lowered + least(cancelled, ordered - shipped)
WHERE order_id = :order AND lowered + least(cancelled, ordered - shipped) > ends_recorded
""")


async def record_ends(session: AsyncSession, order_id: int) -> None:
    """Note that all units of the order that have ended so far are on record."""
    await session.execute(_RECORD, {"order": order_id})


def cost_of(
    cancellation: Cancellation, before: Metric | None, after: Metric | None
) -> dict[str, Any] | None:
    """What giving the order up costs in whole yen, part by part; None where nobody knows.

    What the desk reckoned when it chose the order stands, if it ended for want of stock. For an
    order that others ended only what the metric itself says in yen is known: Shopify's card fee.
    """
    ours = cause_of(cancellation.reason) == Asker.SHOP_OUT_OF_STOCK.value
    if ours and cancellation.cost is not None:
        return cancellation.cost
    return fee_between(before, after)


def fee_between(before: Metric | None, after: Metric | None) -> dict[str, Any] | None:
    """The card fee that lies between two metrics in yen; None for any other metric."""
    if before is None or after is None or after.unit != "yen":
        return None
    if before.value is None or after.value is None:
        return None
    fee = round(after.value - before.value)
    return {"fee_yen": fee, TOTAL: fee}


def total_of(cost: Mapping[str, Any] | None) -> int | None:
    """The whole cost in yen, else the sum of its parts; None where one of them is not known."""
    if not cost:
        return None
    if TOTAL in cost:
        whole = cost[TOTAL]
        return whole if isinstance(whole, int) else None
    parts = [value for name, value in cost.items() if _is_part(name)]
    known = [value for value in parts if isinstance(value, int)]
    return sum(known) if parts and len(known) == len(parts) else None


def parts_of(cost: Mapping[str, Any] | None) -> dict[str, int]:
    """The known parts of a cost in yen, by their names."""
    return {
        name: value
        for name, value in (cost or {}).items()
        if _is_part(name) and isinstance(value, int)
    }


def in_words(parts: Mapping[str, int]) -> str:
    """The parts that are not nothing, by their plain names, one behind the other."""
    named = {name.removesuffix(PART).replace("_", " "): yen for name, yen in parts.items()}
    return ", ".join(f"{name} {yen:,}" for name, yen in sorted(named.items()) if yen)


def _is_part(name: str) -> bool:
    return name.endswith(PART) and name not in _BESIDE
