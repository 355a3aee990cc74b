"""From what a channel tells to a fact, and what a person must put right where that fails."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import Struct
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.errors import BadInput
from inventory.events import EVENT_KINDS, Event, SaleTold, ShipmentTold
from inventory.facts import (
    CancellationReceived,
    Fact,
    LineUnits,
    OrderObserved,
    Outcome,
    SaleLine,
    SaleReceived,
    ShipmentSeen,
    Status,
)
from inventory.models import InboundEvent, Listing, Sku
from inventory.vocabulary import OrderSeen

MALFORMED = "malformed"
NOT_BOOKED = frozenset({Status.REFUSED, Status.CONFLICT})


class Parked(Struct, frozen=True, kw_only=True):
    """Why an event waits for a person."""

    code: str
    detail: str


def fact_told(
    event: Event, *, channel_id: int, order_ref: str, now: datetime
) -> SaleReceived | CancellationReceived | ShipmentSeen:
    """The fact that a store tells; its name is the event's, with what kind of event it is.

    A sale names its order itself. It happened `now` unless the event says when.
    """
    occurred_at = event.occurred_at or now
    if isinstance(event, SaleTold):
        return SaleReceived(
            channel_id=channel_id,
            fact_ref=f"sale:{event.event_id}",
            occurred_at=occurred_at,
            order_ref=event.order_ref,
            lines=_sold(event),
            ship_by=event.ship_by,
            reservation_ref=event.reservation_ref,
            keep_rest=event.keep_rest,
        )
    units = tuple(LineUnits(line_ref=line.line_ref, quantity=line.quantity) for line in event.lines)
    if isinstance(event, ShipmentTold):
        return ShipmentSeen(
            channel_id=channel_id,
            fact_ref=f"shipment:{event.event_id}",
            occurred_at=occurred_at,
            order_ref=order_ref,
            lines=units,
        )
    return CancellationReceived(
        channel_id=channel_id,
        fact_ref=f"cancellation:{event.event_id}",
        occurred_at=occurred_at,
        order_ref=order_ref,
        by=event.by,
        lines=units,
        reason=event.reason,
    )


def _sold(event: SaleTold) -> tuple[SaleLine, ...]:
    return tuple(
        SaleLine(
            line_ref=line.line_ref,
            channel_sku=line.channel_sku,
            quantity=line.quantity,
            unit_price=line.unit_price,
        )
        for line in event.lines
    )


async def facts_of(session: AsyncSession, event: InboundEvent) -> tuple[Parked | None, Fact | None]:
    """The fact that a stored event tells, and why it must be parked, if so.

    A polled order with a line that no listing of ours knows is booked without that line and
    parked: once the listing is there, a replay books the rest.
    """
    shape = EVENT_KINDS.get(event.kind)
    if shape is None:
        return Parked(code="unknown_kind", detail=f"no event kind {event.kind!r}"), None
    try:
        told = msgspec.convert(event.body, type=shape, strict=False)
    except msgspec.ValidationError as error:
        return Parked(code=MALFORMED, detail=str(error)[:500]), None
    if isinstance(told, OrderSeen):
        return await _observed(session, event, told)
    fact = fact_told(
        told, channel_id=event.channel_id, order_ref=event.subject, now=event.received_at
    )
    return None, fact


def parked_by(outcome: Outcome, *, kind: str) -> Parked | None:
    """Why an event of this kind waits for a person after what the ledger said; None if not.

    What a store told and the ledger cannot read is malformed, as if it had no shape at all.
    """
    if outcome.status not in NOT_BOOKED:
        return None
    unread = outcome.code == BadInput.code and EVENT_KINDS.get(kind) is not OrderSeen
    return Parked(code=MALFORMED if unread else outcome.code, detail=outcome.detail)


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
