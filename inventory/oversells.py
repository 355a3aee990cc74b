"""The oversell desk: what is done about a case, from its first step to its last.

A case is opened and measured by the ledger, in the transaction of the shortage itself. The desk
looks at what is, not at what changed, so that it may be run twice at once or die at any point.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import alerts, casework, proposals
from inventory.cancellations import LIVE, decide_cancellation, withdraw
from inventory.casework import LEDGER
from inventory.models import Cancellation, Channel, Fact, Listing, Oversell, Sku
from inventory.proposals import Candidate, Need
from inventory.recipes import kits_holding
from inventory.standings import metric_now

__all__ = ["decide_cancellation", "metric_now", "open_cases", "tend"]

CASES_MAX = 500
CASE_LOCK = 0x4F56 << 48
# Orders that cannot be cancelled just now (payment pending) may become so within this time.
PATIENCE = timedelta(minutes=5)
OVERSELL_ALERT = "oversell"
STUCK_ALERT = "oversell_stuck"


async def open_cases(session: AsyncSession) -> list[int]:
    """The open cases, the oldest first, at most 500."""
    rows = await session.scalars(
        select(Oversell.id).where(Oversell.state == "open").order_by(Oversell.id).limit(CASES_MAX)
    )
    return list(rows)


async def tend(session: AsyncSession, oversell_id: int, now: datetime) -> int:
    """Do the next thing about a case; how many things were done.

    It either takes back what is no longer needed, or chooses what is still missing, or closes the
    case: never two of them in one transaction, so that locks are taken in one order only.
    """
    free = select(func.pg_try_advisory_xact_lock(CASE_LOCK | oversell_id))
    if not await session.scalar(free):
        return 0
    case = await session.get(Oversell, oversell_id)
    if case is None or case.state != "open":
        return 0
    begun = await _begin(session, case, now)
    begun += await _note_zero(session, case, now)
    need = await proposals.look(session, case.id)
    done = await _withdraw_surplus(session, need, now)
    if done:
        return begun + done
    if need.missing > 0:
        return begun + await _choose(session, case, need, now)
    return begun + await _close(session, case, now)


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


async def _withdraw_surplus(session: AsyncSession, need: Need, now: datetime) -> int:
    """Take back proposals of the case that the shortage no longer needs, the oldest order first."""
    covered, done = need.covered, 0
    for cover in need.own_unsent:
        if cover.units and covered - cover.units < need.shortage:
            continue
        covered -= cover.units
        why = "the order holds no units of the SKU any more"
        if cover.units:
            why = f"the shortage is {need.shortage} now, other orders or new stock cover it"
        done += await withdraw(session, cover.cancellation_id, why, now)
    return done


async def _choose(session: AsyncSession, case: Oversell, need: Need, now: datetime) -> int:
    """Propose the newest orders until the shortage is covered; call a person if they are too few.

    The orders are locked in the ledger's order and looked at again before they are proposed.
    """
    found = await proposals.candidates(session, case.sku_id, need.pool)
    chosen = proposals.newest_first(found, need.missing)
    await proposals.lock_orders(session, [order.order_id for order in chosen])
    still = await proposals.candidates(
        session, case.sku_id, need.pool, order_ids=[order.order_id for order in chosen]
    )
    done = 0
    for order in proposals.newest_first(still, need.missing):
        done += await proposals.propose(session, case.id, order, now)
    if sum(order.units for order in chosen) < need.missing:
        done += await _call_person(session, case, need, found, now)
    return done


async def _call_person(
    session: AsyncSession,
    case: Oversell,
    need: Need,
    found: Sequence[Candidate],
    now: datetime,
) -> int:
    waits = any(proposals.may_become_open(order) for order in found)
    if waits and now < case.opened_at + PATIENCE:
        return 0
    if await casework.has_step(session, case.id, "needs_person"):
        return 0
    sku = await session.get_one(Sku, case.sku_id)
    given_up = sum(order.units for order in proposals.newest_first(found, need.missing))
    detail = {
        "oversell": case.id,
        "sku": sku.code,
        "shortage": need.shortage,
        "uncovered": need.missing - given_up,
        "why": "no more orders of this SKU may be cancelled by the shop",
    }
    casework.note(session, case.id, "needs_person", detail, now=now)
    await alerts.fire(session, kind=STUCK_ALERT, subject=f"sku:{sku.code}", detail=detail, now=now)
    return 1


async def _close(session: AsyncSession, case: Oversell, now: datetime) -> int:
    """Close the case when the shortage is gone and nothing of it is under way."""
    under_way = select(Cancellation.id).where(
        Cancellation.oversell_id == case.id, Cancellation.state.in_(LIVE)
    )
    if await session.scalar(under_way.limit(1)) is not None:
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
    detail = {"shortage_max": case.shortage_max, "orders_given_up": given_up}
    casework.note(session, case.id, "closed", detail, now=now)
    for kind in (OVERSELL_ALERT, STUCK_ALERT):
        await alerts.close(session, kind=kind, subject=f"sku:{sku.code}", now=now)
    return 1
