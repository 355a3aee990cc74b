"""A buyer's wish to cancel: put on record by a named person, and then a person's to approve (L10).

It is never taken by a policy. On Amazon the marketplace's own flag is the evidence, on Rakuten and
Yahoo! the buyer's message with its date and reference; the table's `evidence` says when it holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import audit, reasons
from inventory.decision_table.evidence import SHOWN_BY_MARKETPLACE, objection
from inventory.decision_table.words import NOBODY
from inventory.desk import buyer_evidence, casework
from inventory.desk.cancellations import order_state
from inventory.desk.casework import FAILED_ALERT, OVERDUE_ALERT, PROPOSED_ALERT
from inventory.errors import BadInput, ContentDiffers, NotFound, WrongState
from inventory.fields import Moment, Text, moment
from inventory.models import (
    BuyerRequest,
    Cancellation,
    Channel,
    SalesOrder,
)
from inventory.reasons import Action, Asker, Market, ReasonRefused, Rule
from inventory.vocabulary import Kind, Reason

NAME_CHARACTERS_MAX = 100
# A request of ours that failed is over: nothing is under way, and the order lives on.
OPEN_TO_A_WISH = frozenset({"proposed", "approved", "refused", "failed"})
_ANEW: dict[str, Any] = {
    "oversell_id": None,
    "state": "proposed",
    "attempts": 0,
    "reason": Reason.BUYER_REQUEST.value,
    "decided_by": None,
    "due_at": None,
    "failure": None,
    "metric_before": None,
    "metric_after": None,
    "cost": None,
    "runner_up": None,
    "decide_by": None,
}
REFERENCE_CHARACTERS_MAX = 200


class BuyerAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person puts on record: their name, the date of the buyer's message, where it lies.

    `reference` is the number of an inquiry, or the like: at most 200 characters, no buyer data.
    On Amazon the marketplace's flag has date and reference, and both may be left out.
    """

    person: Text
    asked_at: Moment | None = None
    reference: Text = ""


class BuyerRequestRow(Struct, frozen=True, kw_only=True):
    """A buyer's wish on record, and the cancellation that waits for a person's approval."""

    id: int
    channel: str
    order_ref: str
    by_marketplace: bool
    asked_at: datetime
    reference: str
    recorded_by: str
    recorded_with: str
    recorded_at: datetime
    cancellation_id: int
    cancellation_state: str


async def record(
    session: AsyncSession, channel: str, order_ref: str, told: BuyerAsked, *, by: str, now: datetime
) -> BuyerRequestRow:
    """Put a buyer's wish on record and propose to end the order for it; the same again is one.

    One that the desk let go, as of an order that was locked just then, or that its channel did not
    carry out, is proposed again.
    `by` is the key or command that was used. Raises `NotFound`, `BadInput` without a name,
    `ContentDiffers` where another wish is on record, `WrongState` where the order cannot be ended,
    `ReasonRefused` where a buyer's reason would not be the true one.
    """
    told = _checked(told, now)
    shop, order = await _find(session, channel, order_ref)
    locked = select(SalesOrder.id).where(SalesOrder.id == order.id)
    # Two who record at once go one after the other, and the ledger waits meanwhile.
    await session.execute(locked.with_for_update(key_share=True))
    known = await buyer_evidence.on_record(session, order.id)
    if known is not None:
        _compare(known, told)
        if not await _let_go(session, order.id):
            return await _row(session, known, shop, order)
    rule = await _rule(session, shop, order)
    request = known or _request(Market(shop.kind), order, told, by=by, now=now)
    against = objection(Market(shop.kind), await buyer_evidence.evidence(session, order, request))
    if against is not None:
        raise ReasonRefused(f"{order_ref}: {against}")
    session.add(request)
    await session.flush()
    await _propose(session, order, request, rule, now)
    detail = {"channel": channel, "order_ref": order_ref, "person": request.recorded_by}
    audit.note(session, by=by, action="buyer_request", detail=detail, now=now)
    return await _row(session, request, shop, order)


async def found(session: AsyncSession, channel: str, order_ref: str) -> BuyerRequestRow:
    """The wish on record for an order. Raises `NotFound`."""
    shop, order = await _find(session, channel, order_ref)
    request = await buyer_evidence.on_record(session, order.id)
    if request is None:
        raise NotFound(f"no buyer's wish is on record for {order_ref}")
    return await _row(session, request, shop, order)


def _checked(told: BuyerAsked, now: datetime) -> BuyerAsked:
    """What was told, without spaces around it and in UTC."""
    name, reference = told.person.strip(), told.reference.strip()
    if not name or len(name) > NAME_CHARACTERS_MAX or name.lower() in NOBODY:
        raise BadInput("person: the name of whoever read the buyer's message, 1 to 100 characters")
    if len(reference) > REFERENCE_CHARACTERS_MAX:
        raise BadInput("reference: at most 200 characters")
    if "@" in reference:
        raise BadInput("reference: where the message lies, and nothing of who the buyer is")
    asked_at = None if told.asked_at is None else moment(told.asked_at)
    if asked_at is not None and asked_at > now:
        raise BadInput("asked_at: the buyer's message lies in the future")
    return BuyerAsked(person=name, asked_at=asked_at, reference=reference)


def _request(
    market: Market, order: SalesOrder, told: BuyerAsked, *, by: str, now: datetime
) -> BuyerRequest:
    flag = market in SHOWN_BY_MARKETPLACE
    if not flag and told.asked_at is None:
        raise BadInput("asked_at: the date of the buyer's message is needed")
    return BuyerRequest(
        order_id=order.id,
        by_marketplace=flag and order.buyer_asked_to_cancel,
        asked_at=(order.buyer_asked_at if flag else told.asked_at) or now,
        reference=told.reference or (order.order_ref if flag else ""),
        recorded_by=told.person,
        recorded_with=by,
        recorded_at=now,
    )


def _compare(known: BuyerRequest, told: BuyerAsked) -> None:
    same = known.by_marketplace or (
        (known.recorded_by, known.asked_at, known.reference)
        == (told.person, told.asked_at, told.reference)
    )
    if not same:
        raise ContentDiffers("another message of this buyer is on record already")


async def _find(session: AsyncSession, channel: str, order_ref: str) -> tuple[Channel, SalesOrder]:
    row = await session.execute(
        select(Channel, SalesOrder)
        .join(SalesOrder, SalesOrder.channel_id == Channel.id)
        .where(Channel.code == channel, SalesOrder.order_ref == order_ref)
    )
    pair = row.one_or_none()
    if pair is None:
        raise NotFound(f"channel {channel} has no order {order_ref}")
    return pair[0], pair[1]


async def _let_go(session: AsyncSession, order_id: int) -> bool:
    """Whether the wish could not be carried out, here or at the channel: it may be put again.

    One that a person has refused may not.
    """
    found = select(Cancellation.id).where(
        Cancellation.order_id == order_id,
        (Cancellation.state == "refused") & (Cancellation.decided_by == casework.DESK)
        | (Cancellation.state == "failed"),
    )
    return await session.scalar(found) is not None


async def _rule(session: AsyncSession, shop: Channel, order: SalesOrder) -> Rule:
    state = await order_state(session, order)
    rule = reasons.decide(Kind(shop.kind), state, Asker.BUYER_REQUEST)
    if rule.action is not Action.CANCEL:
        raise WrongState(f"{order.order_ref} is {state.value}: {rule.task}")
    return rule


async def _propose(
    session: AsyncSession,
    order: SalesOrder,
    request: BuyerRequest,
    rule: Rule,
    now: datetime,
) -> None:
    """Have a person decide; what the desk has not sent for the order, or in vain, becomes this.

    Its attempts count from nothing, so that a late effect of our own request is not taken for it.
    """
    values = _ANEW | {"reason_code": rule.reason_code, "proposed_at": now}
    row, added = await _row_for(session, order, values)
    held = not added and row.state in {"proposed", "approved"}
    if not added:
        detail = {"cancellation": row.id, "person": request.recorded_by}
        casework.note(session, row.oversell_id, "buyer_request", detail, now=now)
        for name, value in values.items():
            setattr(row, name, value)
    # What was said of the desk's proposal, its deadline or its failure is not true of the wish.
    for kind in (PROPOSED_ALERT, OVERDUE_ALERT, FAILED_ALERT):
        await casework.answered(session, kind, row, now)
    if not held:
        await casework.hold_shipping(session, row, now)
    why = f"the buyer asked to cancel, {request.recorded_by} put it on record"
    await casework.call_person(session, PROPOSED_ALERT, row, why, now)


async def _row_for(
    session: AsyncSession, order: SalesOrder, values: Mapping[str, Any]
) -> tuple[Cancellation, bool]:
    """The order's cancellation, locked, and whether it was added now. Raises `WrongState`."""
    # Whoever else proposes the order just now ends before this does, and is seen then.
    added = await session.scalar(
        insert(Cancellation)
        .values(channel_id=order.channel_id, order_id=order.id, **values)
        .on_conflict_do_nothing(index_elements=["order_id"])
        .returning(Cancellation.id)
    )
    row = (
        await session.scalars(
            select(Cancellation)
            .where(Cancellation.order_id == order.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    ).one()
    if row.state not in OPEN_TO_A_WISH:
        raise WrongState(f"{order.order_ref}: its cancellation is {row.state} already")
    return row, added is not None


async def _row(
    session: AsyncSession, request: BuyerRequest, shop: Channel, order: SalesOrder
) -> BuyerRequestRow:
    cancellation = await session.scalar(
        select(Cancellation)
        .where(Cancellation.order_id == order.id)
        .execution_options(populate_existing=True)
    )
    if cancellation is None:
        raise NotFound(f"{order.order_ref}: no cancellation")
    return BuyerRequestRow(
        id=request.id,
        channel=shop.code,
        order_ref=order.order_ref,
        by_marketplace=request.by_marketplace,
        asked_at=request.asked_at,
        reference=request.reference,
        recorded_by=request.recorded_by,
        recorded_with=request.recorded_with,
        recorded_at=request.recorded_at,
        cancellation_id=cancellation.id,
        cancellation_state=cancellation.state,
    )
