"""Parts of orders that have ended while the rest lives on or ships, each with its penalty entry.

Found by what the lines hold: units that are cancelled, lowered or gone, beyond those on record. So
the same snapshot told again makes no second entry, and a second part makes its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import reasons
from inventory.desk import casework
from inventory.models import (
    Channel,
    OrderLine,
    OrderPart,
    Oversell,
    PenaltyEntry,
    SalesOrder,
)
from inventory.penalty_record import part_entries
from inventory.penalty_record.part_entries import PartEnd
from inventory.reasons import Asker, Case, Extent, Fulfilment, OrderState, Rule
from inventory.vocabulary import Kind, Party

PARTS_MAX = 200
STEP = "part_ended"
UNTOLD = "; the channel does not say who ended the part: our own case of the shortage was open"
# As the index of lines with ends that are not on record says it.
_UNSEEN = text("""
SELECT DISTINCT l.order_id FROM order_line l JOIN sales_order o ON o.id = l.order_id
WHERE l.lowered + least(l.cancelled, l.ordered - l.shipped) > l.ends_recorded
  AND NOT o.cancelled AND o.ordered_at IS NOT NULL
  AND NOT EXISTS (SELECT FROM penalty_entry p WHERE p.order_id = o.id AND p.part = 0)
ORDER BY l.order_id LIMIT :most
""")


async def unseen(session: AsyncSession) -> list[int]:
    """Orders that live on, of which units have ended that are not on record; at most 200."""
    return list(await session.scalars(_UNSEEN, {"most": PARTS_MAX}))


# The ledger locks an order before its lines too; until this ends nothing else changes them.
_LOCK = text("SELECT cancelled FROM sales_order WHERE id = :order FOR NO KEY UPDATE")
_LINES = text("""
SELECT l.line_ref, g.channel_sku, s.code AS sku, l.ordered, l.cancelled, l.shipped, l.unit_price,
  l.lowered + least(l.cancelled, l.ordered - l.shipped) - l.ends_recorded AS units, l.ended_at
FROM order_line l LEFT JOIN listing g ON g.id = l.listing_id LEFT JOIN sku s ON s.id = l.sku_id
WHERE l.order_id = :order
  AND l.lowered + least(l.cancelled, l.ordered - l.shipped) > l.ends_recorded
ORDER BY l.line_ref
""")


async def observe(session: AsyncSession, order_id: int, now: datetime) -> bool:
    """Put the units of an order that have ended, and are not on record yet, on record together."""
    if await session.scalar(_LOCK, {"order": order_id}):
        return False
    rows = (await session.execute(_LINES, {"order": order_id})).mappings().all()
    if not rows:
        return False
    order = await session.get_one(SalesOrder, order_id, populate_existing=True)
    lines = [{name: row[name] for name in row if name != "ended_at"} for row in rows]
    ended_at = _when(order, [row["ended_at"] for row in rows], now)
    case = await _case(session, order_id, [line["line_ref"] for line in lines], ended_at)
    asker, rule = await _classified(session, order, case, ended_at)
    ours = case if asker is Asker.SHOP_OUT_OF_STOCK else None
    part = PartEnd(lines=lines, asker=asker, rule=rule, ended_at=ended_at, oversell_id=ours)
    entry = await part_entries.enter(session, order, part, now)
    casework.note(session, ours, STEP, _step(entry), now=now)
    return True


def _when(order: SalesOrder, told: Sequence[datetime | None], now: datetime) -> datetime:
    """When we heard of it. What was so before we came counts as of the day of the order."""
    if order.past and order.ordered_at is not None:
        return order.ordered_at
    heard = [moment for moment in told if moment is not None]
    return max(heard) if heard else order.seen_at or now


async def _case(
    session: AsyncSession, order_id: int, line_refs: Sequence[str], ended_at: datetime
) -> int | None:
    """The case of a shortage of what these lines hold, that was open when the units ended."""
    held = select(OrderPart.sku_id).where(
        OrderPart.order_id == order_id, OrderPart.line_ref.in_(line_refs)
    )
    named = select(OrderLine.sku_id).where(
        OrderLine.order_id == order_id, OrderLine.line_ref.in_(line_refs)
    )
    return await session.scalar(
        select(Oversell.id)
        .where(
            Oversell.sku_id.in_(held) | Oversell.sku_id.in_(named),
            Oversell.opened_at <= ended_at,
            Oversell.closed_at.is_(None) | (Oversell.closed_at >= ended_at),
        )
        .order_by(Oversell.id)
        .limit(1)
    )


async def _classified(
    session: AsyncSession, order: SalesOrder, case: int | None, ended_at: datetime
) -> tuple[Asker, Rule]:
    """Who ended the part, by the channel's word, else by our own shortage (L10); and its rule."""
    kind = Kind((await session.get_one(Channel, order.channel_id)).kind)
    by = Party(order.cancelled_by) if order.cancelled_by else None
    asker = reasons.who_asked(
        kind,
        by,
        order.cancel_reason,
        buyer_asked=order.buyer_asked_to_cancel,
        late=reasons.lapsed(ship_by=order.ship_by, ended_at=ended_at),
    )
    untold = by is None and case is not None
    if untold:
        asker = Asker.SHOP_OUT_OF_STOCK
    ships = Fulfilment.CHANNEL if order.fulfilled_by_channel else Fulfilment.SHOP
    state = OrderState.BY_CHANNEL if order.fulfilled_by_channel else OrderState.CANCELLED
    rule = reasons.decide(
        kind, Case(state=state, asker=asker, fulfilment=ships, extent=Extent.PART)
    )
    return asker, part_entries.said_too(rule, UNTOLD) if untold else rule


def _step(entry: PenaltyEntry) -> dict[str, Any]:
    return {
        "order_ref": entry.order_ref,
        "units": sum(line["units"] for line in entry.lines),
        "asked_by": entry.cause,
        "lines": [
            {name: line[name] for name in ("line_ref", "sku", "units")} for line in entry.lines
        ],
        "counts_against_metric": entry.counts_against_metric,
        "metric_before": entry.metric_before,
        "metric_after": entry.metric_after,
    }
