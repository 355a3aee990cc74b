"""Messages to buyers whose order is given up: drafted, read, marked as sent, refunds reminded of.

The house sends nothing to a buyer itself. When a person says that a message went out, the moment
is kept: a buyer's request that comes later is no wish of his own (L10).
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import alerts, audit, penalties
from inventory.decision_table.words import NOBODY, Extent, Market
from inventory.desk import casework, drafts
from inventory.desk.drafts import Draft, Item
from inventory.errors import BadInput, NotFound, WrongState
from inventory.models import (
    Alert,
    BuyerMessage,
    Cancellation,
    Channel,
    OrderLine,
    OrderPart,
    Oversell,
    SalesOrder,
    Sku,
)
from inventory.penalties import ShopifyRules
from inventory.vocabulary import Kind, Reason

REPAY_ALERT = "repayment_due"
# The 48 hours have a reminder at half time.
REMIND_BEFORE = timedelta(hours=24)
REMINDED_MAX = 200
NAME_CHARACTERS_MAX = 100
KEPT = ("refused", "observed")
_STILL_TRUE = (Cancellation.reason == Reason.OUT_OF_STOCK.value) & Cancellation.state.not_in(KEPT)


class MessageRow(Struct, frozen=True, kw_only=True):
    """A draft and what became of it. `notes` are the channel's rules for whoever sends it.

    `placeholders` are what a person fills in. `repay_due_at`: money moved, see to it by then.
    """

    id: int
    cancellation_id: int
    channel: str
    order_ref: str
    subject: str
    body: str
    notes: tuple[str, ...]
    placeholders: tuple[str, ...]
    before_cancel: bool
    drafted_at: datetime
    sent_at: datetime | None
    sent_by: str | None
    repay_due_at: datetime | None
    repaid_at: datetime | None
    repaid_by: str | None


async def draft(
    session: AsyncSession, cancellation_id: int, now: datetime, *, extent: Extent = Extent.WHOLE
) -> BuyerMessage:
    """The message for an order that is given up for want of stock; drafted once per extent.

    One that was not sent is drafted anew. Raises `NotFound`, and `WrongState` for an order that
    ends for another reason or is kept.
    """
    row = await session.get(Cancellation, cancellation_id)
    if row is None:
        raise NotFound(f"no cancellation {cancellation_id}")
    if row.reason != Reason.OUT_OF_STOCK.value or row.state in KEPT:
        raise WrongState(f"cancellation {cancellation_id} is {row.state} as {row.reason}")
    ended_at = row.confirmed_at if row.state == "confirmed" else None
    made = await _draft(session, row, extent, ended_at)
    message = await _message(session, cancellation_id)
    if message is None:
        message = BuyerMessage(cancellation_id=cancellation_id, subject="", body="", notes={})
        session.add(message)
    if message.sent_at is None:
        told = {
            "notes": made.notes,
            "placeholders": made.placeholders,
            "before_cancel": made.before_cancel,
        }
        message.subject, message.body, message.drafted_at = made.subject, made.body, now
        message.notes = msgspec.to_builtins(told)
    message.repay_due_at = made.repay_due_at
    await session.flush()
    return message


async def draft_confirmed(session: AsyncSession, row: Cancellation, now: datetime) -> None:
    """Have the message ready when an order has ended as out of stock, and say so in its case."""
    message = await draft(session, row.id, now)
    due = message.repay_due_at
    detail = {
        "cancellation": row.id,
        "sent_at": msgspec.to_builtins(message.sent_at),
        "repay_due_at": msgspec.to_builtins(due),
    }
    casework.note(session, row.oversell_id, "message_drafted", detail, now=now)


async def message(session: AsyncSession, cancellation_id: int) -> MessageRow:
    """The message of a cancellation. Raises `NotFound`."""
    rows = await _rows(session, Cancellation.id == cancellation_id, limit=1)
    if not rows:
        raise NotFound(f"no message is drafted for cancellation {cancellation_id}")
    return rows[0]


async def unsent(session: AsyncSession, *, before_id: int, limit: int) -> list[MessageRow]:
    """Messages that nobody has sent, newest first; none of orders that are kept after all."""
    wanted = BuyerMessage.sent_at.is_(None) & (BuyerMessage.id < before_id) & _STILL_TRUE
    return await _rows(session, wanted, limit=limit)


async def mark_sent(
    session: AsyncSession, cancellation_id: int, *, person: str, by: str, now: datetime
) -> None:
    """A named person has sent the message. The first time counts. Raises `NotFound`, `BadInput`."""
    found = await _lock(session, cancellation_id, person)
    if found.sent_at is None:
        found.sent_at, found.sent_by = now, person.strip()
        await _note(session, cancellation_id, "message_sent", person=person, by=by, now=now)


async def mark_repaid(
    session: AsyncSession, cancellation_id: int, *, person: str, by: str, now: datetime
) -> None:
    """A named person has seen to the refund, on the platform. Raises `NotFound`, `BadInput`."""
    found = await _lock(session, cancellation_id, person)
    if found.repaid_at is None:
        found.repaid_at, found.repaid_by = now, person.strip()
        await _note(session, cancellation_id, "repayment_seen", person=person, by=by, now=now)
        subject = f"cancellation:{cancellation_id}"
        await alerts.close(session, kind=REPAY_ALERT, subject=subject, now=now)


async def remind(session: AsyncSession, now: datetime) -> int:
    """Alert about refunds that nobody has seen to and that are due within 24 hours; how many."""
    told = exists().where(
        Alert.kind == REPAY_ALERT,
        Alert.subject == func.concat("cancellation:", Cancellation.id),
        Alert.state == "open",
    )
    rows = await session.scalars(
        select(Cancellation)
        .join(BuyerMessage, BuyerMessage.cancellation_id == Cancellation.id)
        .where(BuyerMessage.repay_due_at <= now + REMIND_BEFORE, BuyerMessage.repaid_at.is_(None))
        .where(~told)
        .order_by(BuyerMessage.repay_due_at)
        .limit(REMINDED_MAX)
    )
    fired = 0
    for row in rows:
        detail = await casework.describe(session, row) | {
            "why": "see to the refund, on the platform"
        }
        subject = f"cancellation:{row.id}"
        fired += await alerts.fire(
            session, kind=REPAY_ALERT, subject=subject, detail=detail, now=now
        )
    return fired


async def _draft(
    session: AsyncSession, row: Cancellation, extent: Extent, ended_at: datetime | None
) -> Draft:
    order = await session.get_one(SalesOrder, row.order_id)
    channel = await session.get_one(Channel, row.channel_id)
    rules = penalties.rules_of(Kind(channel.kind), channel.metrics)
    late = isinstance(rules, ShopifyRules) and rules.captured == "at_shipment"
    market = Market(channel.kind)
    return drafts.out_of_stock(
        market,
        order_ref=order.order_ref,
        items=await _items(session, row, extent),
        money=drafts.money_of(market, captured_at_shipment=late),
        extent=extent,
        ended_at=ended_at,
    )


async def _items(session: AsyncSession, row: Cancellation, extent: Extent) -> list[Item]:
    """The lines of the order in our own words; of a part, those that hold the SKU of the case."""
    query = (
        select(Sku.code, Sku.name, OrderLine.ordered)
        .join(Sku, Sku.id == OrderLine.sku_id)
        .where(OrderLine.order_id == row.order_id, OrderLine.ordered > 0)
        .order_by(OrderLine.line_ref)
    )
    if extent is Extent.PART:
        short = (
            select(OrderPart.line_ref)
            .join(Oversell, Oversell.sku_id == OrderPart.sku_id)
            .where(Oversell.id == row.oversell_id, OrderPart.order_id == row.order_id)
        )
        query = query.where(OrderLine.line_ref.in_(short))
    found = await session.execute(query)
    return [Item(name=name or code, units=units) for code, name, units in found]


async def _message(session: AsyncSession, cancellation_id: int) -> BuyerMessage | None:
    return await session.scalar(
        select(BuyerMessage)
        .where(BuyerMessage.cancellation_id == cancellation_id)
        .with_for_update()
    )


async def _lock(session: AsyncSession, cancellation_id: int, person: str) -> BuyerMessage:
    name = person.strip()
    if not name or len(name) > NAME_CHARACTERS_MAX or name.lower() in NOBODY:
        raise BadInput("person: the name of whoever did it, 1 to 100 characters")
    found = await _message(session, cancellation_id)
    if found is None:
        raise NotFound(f"no message is drafted for cancellation {cancellation_id}")
    return found


async def _note(
    session: AsyncSession, cancellation_id: int, step: str, *, person: str, by: str, now: datetime
) -> None:
    row = await session.get_one(Cancellation, cancellation_id)
    detail = {"cancellation": cancellation_id, "person": person.strip()}
    casework.note(session, row.oversell_id, step, detail, now=now, by=person.strip())
    audit.note(session, by=by, action=step, detail=detail, now=now)


async def _rows(
    session: AsyncSession, where: ColumnElement[bool], *, limit: int
) -> list[MessageRow]:
    found = await session.execute(
        select(BuyerMessage, Channel.code, SalesOrder.order_ref)
        .join(Cancellation, Cancellation.id == BuyerMessage.cancellation_id)
        .join(Channel, Channel.id == Cancellation.channel_id)
        .join(SalesOrder, SalesOrder.id == Cancellation.order_id)
        .where(where)
        .order_by(BuyerMessage.id.desc())
        .limit(limit)
    )
    return [
        MessageRow(
            id=row.id,
            cancellation_id=row.cancellation_id,
            channel=channel,
            order_ref=order_ref,
            subject=row.subject,
            body=row.body,
            notes=tuple(row.notes["notes"]),
            placeholders=tuple(row.notes["placeholders"]),
            before_cancel=row.notes["before_cancel"],
            drafted_at=row.drafted_at,
            sent_at=row.sent_at,
            sent_by=row.sent_by,
            repay_due_at=row.repay_due_at,
            repaid_at=row.repaid_at,
            repaid_by=row.repaid_by,
        )
        for row, channel, order_ref in found
    ]
