"""The oversell desk: what is done about a case, from its first step to its last.

A case is opened and measured by the ledger, in the transaction of the shortage itself. The desk
looks at what is, not at what changed, so that it may be run twice at once or die at any point.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import alerts
from inventory.desk import casework, choosing, mitigations, needs
from inventory.desk.cancellations import LIVE, decide_cancellation
from inventory.desk.casework import LEDGER
from inventory.desk.choosing import STUCK_ALERT
from inventory.models import Cancellation, Channel, Fact, Listing, Oversell, Sku
from inventory.penalty_record.standings import metric_now
from inventory.recipes import kits_holding

__all__ = ["decide_cancellation", "metric_now", "open_cases", "tend"]

CASES_MAX = 500
OVERSELL_ALERT = "oversell"


async def open_cases(session: AsyncSession, after: int = 0) -> list[int]:
    """The open cases with a higher id than `after`, the oldest first, at most 500 a call."""
    rows = await session.scalars(
        select(Oversell.id)
        .where(Oversell.state == "open", Oversell.id > after)
        .order_by(Oversell.id)
        .limit(CASES_MAX)
    )
    return list(rows)


async def tend(session: AsyncSession, oversell_id: int, now: datetime) -> int:
    """Do the next thing about a case; how many things were done.

    What could cover it is judged first. It then either takes back what is no longer needed or not
    the least any more, or proposes what is chosen, or closes the case: never two of them in one
    transaction, so that locks are taken in one order only.
    """
    if not await session.scalar(casework.case_lock(oversell_id, wait=False)):
        return 0
    case = await session.get(Oversell, oversell_id)
    if case is None or case.state != "open":
        return 0
    begun = await _begin(session, case, now)
    begun += await _note_zero(session, case, now)
    need = await needs.look(session, case.id, now)
    if need.shortage:
        begun += await mitigations.settle(session, case, need, now)
    done = await choosing.tend(session, case, need, now)
    return begun + (done or await _close(session, case, now))


async def _begin(session: AsyncSession, case: Oversell, now: datetime) -> int:
    if await casework.has_step(session, case.id, "detected"):
        return 0
    sku = await session.get_one(Sku, case.sku_id)
    cause = await session.execute(
        select(Fact.kind, Fact.fact_ref, Channel.code)
        .join(Channel, Channel.id == Fact.channel_id)
        .where(Fact.id == case.cause_fact_id)
    )
    found = cause.one_or_none()
    detail = {
        "sku": sku.code,
        "shortage": case.shortage_max,
        "cause": {"kind": found[0], "fact_ref": found[1], "channel": found[2]} if found else None,
    }
    casework.note(session, case.id, "detected", detail, now=case.opened_at, by=LEDGER)
    said = {"oversell": case.id, **detail}
    await alerts.fire(session, kind=OVERSELL_ALERT, subject=f"sku:{sku.code}", detail=said, now=now)
    return 1


async def _note_zero(session: AsyncSession, case: Oversell, now: datetime) -> int:
    """Note, once, that publishing wants zero on every listing of the SKU that is ours to fill.

    Listings of kits that hold the SKU are among them.
    """
    if not case.shortage or await casework.has_step(session, case.id, "listings_to_zero"):
        return 0
    rows = await session.execute(
        select(Channel.code, Listing.channel_sku, Listing.quantity_wanted)
        .join(Channel, Channel.id == Listing.channel_id)
        .where(
            Listing.sku_id.in_({case.sku_id, *await kits_holding(session, [case.sku_id])}),
            Listing.fulfilled_by_channel.is_(False),
            Listing.closed.is_(False),
            Listing.closed_by_channel.is_(False),
        )
        .order_by(Listing.id)
    )
    listings = rows.all()
    if not listings or any(wanted != 0 for _, _, wanted in listings):
        return 0
    detail = {"listings": [{"channel": code, "channel_sku": sku} for code, sku, _ in listings]}
    casework.note(session, case.id, "listings_to_zero", detail, now=now)
    return 1


async def _close(session: AsyncSession, case: Oversell, now: datetime) -> int:
    """Close the case when the shortage is gone and nothing of it is under way, holds included."""
    under_way = select(Cancellation.id).where(
        Cancellation.oversell_id == case.id, Cancellation.state.in_(LIVE)
    )
    if await session.scalar(under_way.limit(1)) is not None:
        return 0
    if await mitigations.pending(session, case):
        return 0
    closed = await session.scalar(
        update(Oversell)
        .where(Oversell.id == case.id, Oversell.state == "open", Oversell.shortage == 0)
        .values(state="closed", closed_at=now)
        .returning(Oversell.id)
    )
    if closed is None:
        return 0
    sku = await session.get_one(Sku, case.sku_id)
    given_up = await session.scalar(
        select(func.count()).where(
            Cancellation.oversell_id == case.id, Cancellation.state == "confirmed"
        )
    )
    await mitigations.end(session, case, now)
    detail = {"shortage_max": case.shortage_max, "orders_given_up": given_up}
    casework.note(session, case.id, "closed", detail, now=now)
    for kind in (OVERSELL_ALERT, STUCK_ALERT):
        await alerts.close(session, kind=kind, subject=f"sku:{sku.code}", now=now)
    return 1
