"""Orders of which only a part is short: what the table permits for the part, told to a person.

The desk itself gives up whole orders only: no marketplace takes a part back without a person, be it
for the buyer's consent or for shipping the rest first. So the part is decided by its own row and
noted in the case, before the whole order goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import reasons
from inventory.desk import casework
from inventory.reasons import Asker, Extent, OrderState
from inventory.vocabulary import Kind

STEP = "part_possible"
NOTED_MAX = 200

# Lines of an unsent out-of-stock cancellation: how many units of each are short, by the open cases
# of the SKUs that they hold. A kit's line is short by as many kits as its scarcest part lacks.
_PARTS = text("""
SELECT x.id, x.oversell_id, h.kind, o.cancellable,
  jsonb_agg(jsonb_build_object('line_ref', l.line_ref, 'sku', s.code, 'units', l.open,
    'short', least(l.open, l.short)) ORDER BY l.line_ref) AS lines
FROM cancellation x
JOIN sales_order o ON o.id = x.order_id
JOIN channel h ON h.id = x.channel_id
CROSS JOIN LATERAL (
  SELECT line.line_ref, line.sku_id, line.ordered - line.cancelled - line.shipped AS open,
    coalesce((SELECT max(ceil(c.shortage::numeric / p.per_unit))::int FROM order_part p
      JOIN oversell c ON c.sku_id = p.sku_id AND c.state = 'open'
      WHERE p.order_id = o.id AND p.line_ref = line.line_ref AND p.reserved > 0), 0) AS short
  FROM order_line line
  WHERE line.order_id = o.id AND line.ordered > line.cancelled + line.shipped
) l
LEFT JOIN sku s ON s.id = l.sku_id
WHERE x.state IN ('proposed', 'approved') AND x.attempts = 0 AND x.reason = 'out_of_stock'
  AND x.oversell_id IS NOT NULL AND NOT o.cancelled
  AND NOT EXISTS (SELECT FROM oversell_step t WHERE t.oversell_id = x.oversell_id
    AND t.step = 'part_possible' AND t.detail ->> 'cancellation' = x.id::text)
GROUP BY x.id, h.kind, o.cancellable
HAVING sum(least(l.open, l.short)) < sum(l.open) AND sum(l.short) > 0
ORDER BY x.id LIMIT :most
""").columns(lines=JSONB)


async def note(session: AsyncSession, now: datetime) -> int:
    """Note in each case which chosen orders are short only in part, and what is permitted; once.

    How many were noted, at most 200 a call. An order chosen for one case and short of other SKUs
    too has all of its short lines named.
    """
    noted = 0
    for row in await session.execute(_PARTS, {"most": NOTED_MAX}):
        rule = reasons.decide(
            Kind(row.kind),
            reasons.case_of(
                OrderState.OPEN if row.cancellable else OrderState.LOCKED,
                Asker.SHOP_OUT_OF_STOCK,
                extent=Extent.PART,
            ),
        )
        detail = {
            "cancellation": row.id,
            "lines": [_line(line) for line in row.lines],
            "permitted": rule.action.value,
            "reason_code": rule.reason_code,
            "counts_against_metric": rule.counts.value,
            "do": rule.task,
            "source": rule.source,
        }
        casework.note(session, row.oversell_id, STEP, detail, now=now)
        noted += 1
    return noted


def _line(line: Mapping[str, Any]) -> dict[str, Any]:
    return {name: line[name] for name in ("line_ref", "sku", "units", "short")}
