"""What is on record of a buyer's wish, as the decision table's `evidence` judges it (L10)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, or_, select, union
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.decision_table.evidence import Evidence
from inventory.models import (
    BuyerMessage,
    BuyerRequest,
    Cancellation,
    OrderLine,
    OrderPart,
    Oversell,
    SalesOrder,
)


async def evidence_for(session: AsyncSession, order: SalesOrder) -> Evidence | None:
    """What is on record now about the wish of an order's buyer. None: nothing."""
    request = await on_record(session, order.id)
    return None if request is None else await evidence(session, order, request)


async def on_record(session: AsyncSession, order_id: int) -> BuyerRequest | None:
    """The wish that is on record for an order. None: none."""
    return await session.scalar(select(BuyerRequest).where(BuyerRequest.order_id == order_id))


async def evidence(session: AsyncSession, order: SalesOrder, request: BuyerRequest) -> Evidence:
    """What is known now of a wish on record: the flag, the message, what the shop had told."""
    flag = request.by_marketplace
    told_at = await session.scalar(
        select(BuyerMessage.sent_at)
        .join(Cancellation, Cancellation.id == BuyerMessage.cancellation_id)
        .where(Cancellation.order_id == order.id)
    )
    return Evidence(
        by_marketplace=flag and order.buyer_asked_to_cancel,
        asked_at=request.asked_at,
        recorded_at=request.recorded_at,
        recorded_by=request.recorded_by,
        reference=request.reference,
        short_since=await _short_since(session, order),
        told_at=told_at,
    )


async def _short_since(session: AsyncSession, order: SalesOrder) -> datetime | None:
    """When the first case opened for a SKU of the order that was not over before it was placed."""
    skus = union(
        select(OrderPart.sku_id).where(OrderPart.order_id == order.id),
        select(OrderLine.sku_id).where(OrderLine.order_id == order.id),
    ).subquery()
    placed = order.ordered_at or order.recorded_at
    return await session.scalar(
        select(func.min(Oversell.opened_at)).where(
            Oversell.sku_id.in_(select(skus.c.sku_id)),
            or_(Oversell.closed_at.is_(None), Oversell.closed_at >= placed),
        )
    )
