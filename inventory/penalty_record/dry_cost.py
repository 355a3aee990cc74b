"""What giving up any order would cost by the desk's own model, asked without a case."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.desk import weighing
from inventory.desk.proposals import Candidate
from inventory.models import Cancellation, Channel, OrderPart, SalesOrder
from inventory.reasons import Rule


async def cost(
    session: AsyncSession, channel: Channel, order: SalesOrder, rule: Rule, now: datetime
) -> dict[str, Any] | None:
    """The cost in whole yen, part by part; None for an order that holds no units any more.

    Of the SKUs in it, the one of which it holds most stands for the shortage.
    """
    held = await session.execute(
        select(OrderPart.sku_id, func.sum(OrderPart.reserved))
        .where(OrderPart.order_id == order.id, OrderPart.reserved > 0)
        .group_by(OrderPart.sku_id)
        .order_by(func.sum(OrderPart.reserved).desc(), OrderPart.sku_id)
        .limit(1)
    )
    most = held.one_or_none()
    if most is None or order.ordered_at is None:
        return None
    own = select(Cancellation.id).where(Cancellation.order_id == order.id)
    candidate = Candidate(
        order_id=order.id,
        channel_id=channel.id,
        order_ref=order.order_ref,
        ordered_at=order.ordered_at,
        units=most[1],
        buyer_asked=order.buyer_asked_to_cancel,
        rule=rule,
    )
    weighed = await weighing.weigh(
        session, [candidate], most[0], now, without=list(await session.scalars(own))
    )
    [priced] = weighed.price(weighed.offers).orders
    return weighing.cost_shown(priced, part_saves_yen=0)
