"""From a stored event to a fact: finds the listings, and says what a person must put right."""

from __future__ import annotations

import msgspec
from msgspec import Struct
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.events import EVENT_KINDS, CancellationTold, SaleTold, ShipmentTold
from inventory.facts import (
    CancellationReceived,
    Fact,
    LineUnits,
    OrderObserved,
    SaleLine,
    SaleReceived,
    ShipmentSeen,
)
from inventory.models import InboundEvent, Listing, Sku
from inventory.vocabulary import OrderSeen


class Parked(Struct, frozen=True, kw_only=True):
    """Why an event waits for a person."""

    code: str
    detail: str


async def facts_of(session: AsyncSession, event: InboundEvent) -> tuple[Parked | None, Fact | None]:
    """The fact that an event tells, and why it must be parked, if so.

    A polled order with a line that no listing of ours knows is booked without that line and
    parked: once the listing is there, a replay books the rest.
    """
    shape = EVENT_KINDS.get(event.kind)
    if shape is None:
        return Parked(code="unknown_kind", detail=f"no event kind {event.kind!r}"), None
    try:
        told = msgspec.convert(event.body, type=shape, strict=False)
    except msgspec.ValidationError as error:
        return Parked(code="malformed", detail=str(error)[:500]), None
    if isinstance(told, OrderSeen):
        return await _observed(session, event, told)
    if isinstance(told, SaleTold):
        return None, _sale(event, told)
    return None, _ended(event, told)


async def _listings(
    session: AsyncSession, channel_id: int, channel_skus: set[str]
) -> dict[str, tuple[int, str]]:
    rows = await session.execute(
        select(Listing.channel_sku, Listing.id, Sku.code)
        .join(Sku, Sku.id == Listing.sku_id)
        .where(Listing.channel_id == channel_id, Listing.channel_sku.in_(channel_skus))
    )
    return {channel_sku: (listing_id, code) for channel_sku, listing_id, code in rows}


def _unknown(found: dict[str, tuple[int, str]], wanted: set[str]) -> Parked | None:
    missing = sorted(wanted - set(found))
    if not missing:
        return None
    return Parked(code="unknown_listing", detail="no listing of " + ", ".join(missing)[:480])


async def _observed(
    session: AsyncSession, event: InboundEvent, order: OrderSeen
) -> tuple[Parked | None, Fact]:
    wanted = {line.channel_sku for line in order.lines}
    found = await _listings(session, event.channel_id, wanted)
    fact = OrderObserved(channel_id=event.channel_id, order=order, listings=found)
    # What the channel fulfils from its own warehouse need not be listed with us.
    parked = None if order.fulfilled_by_channel else _unknown(found, wanted)
    return parked, fact


def _sale(event: InboundEvent, told: SaleTold) -> Fact:
    lines = tuple(
        SaleLine(
            line_ref=line.line_ref,
            channel_sku=line.channel_sku,
            quantity=line.quantity,
            unit_price=line.unit_price,
        )
        for line in told.lines
    )
    return SaleReceived(
        channel_id=event.channel_id,
        fact_ref=f"{event.kind}:{event.event_id}",
        occurred_at=told.occurred_at or event.received_at,
        order_ref=told.order_ref,
        lines=lines,
        ship_by=told.ship_by,
        reservation_ref=told.reservation_ref,
    )


def _ended(event: InboundEvent, told: CancellationTold | ShipmentTold) -> Fact:
    units = tuple(LineUnits(line_ref=line.line_ref, quantity=line.quantity) for line in told.lines)
    occurred_at = told.occurred_at or event.received_at
    if isinstance(told, ShipmentTold):
        return ShipmentSeen(
            channel_id=event.channel_id,
            fact_ref=f"{event.kind}:{event.event_id}",
            occurred_at=occurred_at,
            order_ref=event.subject,
            lines=units,
        )
    return CancellationReceived(
        channel_id=event.channel_id,
        fact_ref=f"{event.kind}:{event.event_id}",
        occurred_at=occurred_at,
        order_ref=event.subject,
        by=told.by,
        lines=units,
        reason=told.reason,
    )
