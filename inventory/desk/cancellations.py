"""Cancellations of ours: approved, refused, withdrawn; which of them are due at their channel."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import reasons
from inventory.desk import casework
from inventory.desk.casework import (
    BY_HAND,
    BY_HAND_ALERT,
    DESK,
    LEDGER,
    OVERDUE_ALERT,
    POLICY,
    PROPOSED_ALERT,
)
from inventory.errors import BadInput, NotFound, WrongState
from inventory.models import Cancellation, OrderLine, SalesOrder
from inventory.reasons import OrderState

LIVE = ("proposed", "approved", "submitted")
NOTHING: Mapping[str, Any] = MappingProxyType({})
DUE_MAX = 50


async def decide_cancellation(
    session: AsyncSession, cancellation_id: int, *, approve: bool, by: str, now: datetime
) -> Cancellation:
    """A person approves a proposal, or refuses one that is not submitted yet.

    The same decision by the same person twice is one. Raises `NotFound`; `WrongState` when it is
    too late; `BadInput` without a name, or with one of the house's own.
    """
    if not by.strip() or by in {DESK, POLICY, LEDGER}:
        raise BadInput(f"a decision needs the name of the person who makes it, not {by!r}")
    row = await session.get(
        Cancellation, cancellation_id, with_for_update=True, populate_existing=True
    )
    if row is None:
        raise NotFound(f"no cancellation {cancellation_id}")
    decision = "approved" if approve else "refused"
    if row.state == decision and row.decided_by == by:
        return row
    if row.state not in (("proposed",) if approve else ("proposed", "approved")):
        raise WrongState(f"cancellation {cancellation_id} is {row.state}")
    row.state, row.decided_by, row.due_at = decision, by, now if approve else None
    detail = {"cancellation": row.id}
    casework.note(session, row.oversell_id, decision, detail, now=now, by=by)
    await casework.answered(session, PROPOSED_ALERT, row, now)
    await casework.answered(session, OVERDUE_ALERT, row, now)
    if not approve:
        await casework.release_shipping(session, row, f"refused by {by}", now)
    return row


async def withdraw(
    session: AsyncSession,
    cancellation_id: int,
    why: str,
    now: datetime,
    *,
    states: Collection[str] = LIVE,
    detail: Mapping[str, Any] = NOTHING,
) -> bool:
    """Take back a proposal that has not been submitted; the order may ship.

    One that a person was asked to carry out by hand, and has not, is taken back as well. Of
    `states` it must be one by now; `detail` is added to the step.
    """
    row = await lock(session, cancellation_id, *states)
    if row is None or (row.state == "submitted" and row.reference != BY_HAND):
        return False
    row.state, row.decided_by, row.due_at = "refused", DESK, None
    said = {"cancellation": row.id, "why": why, **detail}
    casework.note(session, row.oversell_id, "withdrawn", said, now=now)
    await casework.answered(session, PROPOSED_ALERT, row, now)
    await casework.answered(session, BY_HAND_ALERT, row, now)
    await casework.answered(session, OVERDUE_ALERT, row, now)
    await casework.release_shipping(session, row, why, now)
    return True


async def due(session: AsyncSession, channel_id: int, state: str, now: datetime) -> list[int]:
    """Approved ones to submit, or submitted ones to read back, the longest waiting first."""
    rows = await session.scalars(
        select(Cancellation.id)
        .where(
            Cancellation.channel_id == channel_id,
            Cancellation.state == state,
            or_(Cancellation.due_at.is_(None), Cancellation.due_at <= now),
        )
        .order_by(Cancellation.due_at.asc().nulls_first(), Cancellation.id)
        .limit(DUE_MAX)
    )
    return list(rows)


async def due_channels(session: AsyncSession, now: datetime) -> list[int]:
    """Channels with a cancellation to submit, to read back, or whose order has ended."""
    rows = await session.scalars(
        select(Cancellation.channel_id)
        .join(SalesOrder, SalesOrder.id == Cancellation.order_id)
        .where(
            Cancellation.state.not_in(("confirmed", "observed")),
            or_(
                SalesOrder.cancelled.is_(True),
                Cancellation.state.in_(("approved", "submitted"))
                & or_(Cancellation.due_at.is_(None), Cancellation.due_at <= now),
            ),
        )
        .distinct()
        .order_by(Cancellation.channel_id)
    )
    return list(rows)


async def order_state(session: AsyncSession, order: SalesOrder) -> OrderState:
    """Where the order stands by what we last heard of it."""
    units = OrderLine.ordered - OrderLine.cancelled - OrderLine.shipped
    row = await session.execute(
        select(func.sum(func.greatest(units, 0)), func.sum(OrderLine.shipped)).where(
            OrderLine.order_id == order.id
        )
    )
    open_units, shipped_units = row.one()
    return reasons.order_state(
        cancelled=order.cancelled,
        cancellable=order.cancellable,
        by_channel=order.fulfilled_by_channel,
        open_units=open_units or 0,
        shipped_units=shipped_units or 0,
    )


async def lock(session: AsyncSession, cancellation_id: int, *states: str) -> Cancellation | None:
    """The cancellation, if it is in one of these states and no other worker holds it."""
    return await session.scalar(
        select(Cancellation)
        .where(Cancellation.id == cancellation_id, Cancellation.state.in_(states))
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
