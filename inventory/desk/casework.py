"""What the desk writes down and sends out: steps of a case, shipping holds, calls for a person."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import alerts, deliveries
from inventory.models import Cancellation, Channel, Oversell, OversellStep, SalesOrder, Sku

# Who decided what no person decided: the desk itself, or the channel's policy `auto`.
DESK = "desk"
POLICY = "policy"
LEDGER = "ledger"

# Where a person has to end the order: the reference that says so; nothing is ever sent again.
BY_HAND = "by hand"

# One worker at a time does the next thing about a case.
CASE_LOCK = 0x4F56 << 48

PROPOSED_ALERT = "cancellation_proposed"
BY_HAND_ALERT = "cancellation_by_hand"
FAILED_ALERT = "cancellation_failed"
OVERDUE_ALERT = "cancellation_overdue"


def case_lock(oversell_id: int, *, wait: bool) -> Select[Any]:
    """Locks a case until the transaction ends; not to `wait` tells whether it was free."""
    lock = func.pg_advisory_xact_lock if wait else func.pg_try_advisory_xact_lock
    return select(lock(CASE_LOCK | oversell_id))


def note(
    session: AsyncSession,
    oversell_id: int | None,
    step: str,
    detail: Mapping[str, Any],
    *,
    now: datetime,
    by: str = DESK,
) -> None:
    """Add a step to a case; nothing where there is no case."""
    if oversell_id is not None:
        session.add(
            OversellStep(
                oversell_id=oversell_id, step=step, detail=dict(detail), done_by=by, done_at=now
            )
        )


async def has_step(session: AsyncSession, oversell_id: int, step: str) -> bool:
    """Whether the case has such a step."""
    found = select(OversellStep.id).where(
        OversellStep.oversell_id == oversell_id, OversellStep.step == step
    )
    return await session.scalar(found.limit(1)) is not None


async def describe(session: AsyncSession, cancellation: Cancellation) -> dict[str, Any]:
    """A cancellation in the words that webhooks and alerts carry."""
    row = (
        await session.execute(
            select(Channel.code, Channel.kind, SalesOrder.order_ref, Sku.code)
            .select_from(Cancellation)
            .join(Channel, Channel.id == Cancellation.channel_id)
            .join(SalesOrder, SalesOrder.id == Cancellation.order_id)
            .outerjoin(Oversell, Oversell.id == Cancellation.oversell_id)
            .outerjoin(Sku, Sku.id == Oversell.sku_id)
            .where(Cancellation.id == cancellation.id)
        )
    ).one()
    channel, kind, order_ref, sku = row
    return {
        "cancellation": cancellation.id,
        "oversell": cancellation.oversell_id,
        "channel": channel,
        "kind": kind,
        "order_ref": order_ref,
        "sku": sku,
        "reason": cancellation.reason,
        "reason_code": cancellation.reason_code,
    }


async def hold_shipping(session: AsyncSession, cancellation: Cancellation, now: datetime) -> None:
    """Tell the warehouse not to ship an order that may be given up."""
    body = await describe(session, cancellation)
    await deliveries.enqueue(session, "shipping.hold", body, now)
    note(session, cancellation.oversell_id, "shipping_hold", body, now=now)


async def release_shipping(
    session: AsyncSession, cancellation: Cancellation, why: str, now: datetime
) -> None:
    """Tell the warehouse that the order is to be shipped after all."""
    body = await describe(session, cancellation) | {"why": why}
    await deliveries.enqueue(session, "shipping.release", body, now)
    note(session, cancellation.oversell_id, "shipping_release", body, now=now)


async def call_person(
    session: AsyncSession, kind: str, cancellation: Cancellation, why: str, now: datetime
) -> None:
    """Raise an alert about a cancellation."""
    detail = await describe(session, cancellation) | {"why": why}
    await alerts.fire(session, kind=kind, subject=_subject(cancellation), detail=detail, now=now)


async def answered(
    session: AsyncSession, kind: str, cancellation: Cancellation, now: datetime
) -> None:
    """Close such an alert, if it is open."""
    await alerts.close(session, kind=kind, subject=_subject(cancellation), now=now)


def _subject(cancellation: Cancellation) -> str:
    return f"cancellation:{cancellation.id}"
