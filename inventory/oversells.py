"""The oversell desk: what is done about a case, from its first step to its last.

A case is opened and measured by the ledger, in the transaction of the shortage itself. The desk
looks at what is, not at what changed, so that it may be run twice at once or die at any point.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import alerts
from inventory.desk import casework, costs, mitigations, needs, proposals, weighing
from inventory.desk.cancellations import LIVE, decide_cancellation, withdraw
from inventory.desk.casework import LEDGER
from inventory.desk.needs import Need
from inventory.desk.proposals import Candidate
from inventory.models import Cancellation, Channel, Fact, Listing, Oversell, Sku
from inventory.penalty_record.standings import metric_now
from inventory.recipes import kits_holding

__all__ = ["decide_cancellation", "metric_now", "open_cases", "tend"]

CASES_MAX = 500
CASE_LOCK = 0x4F56 << 48
CHOICE_LOCK = 0x4F43 << 48
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

    What could cover it is judged first. It then either takes back what is no longer needed, or
    chooses what is still missing, or closes the case: never two of them in one transaction, so
    that locks are taken in one order only.
    """
    free = select(func.pg_try_advisory_xact_lock(CASE_LOCK | oversell_id))
    if not await session.scalar(free):
        return 0
    case = await session.get(Oversell, oversell_id)
    if case is None or case.state != "open":
        return 0
    begun = await _begin(session, case, now)
    begun += await _note_zero(session, case, now)
    need = await needs.look(session, case.id, now)
    if need.shortage:
        begun += await mitigations.settle(session, case, need, now)
    done = await _withdraw_surplus(session, case, need, now)
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


async def _withdraw_surplus(
    session: AsyncSession, case: Oversell, need: Need, now: datetime
) -> int:
    """Take back proposals that the shortage no longer needs, those that would cost most first.

    What is kept is the set of them that covers the rest at the least cost.
    """
    if need.missing >= 0 and all(cover.units for cover in need.own_unsent):
        waiting = [cover for cover in need.own_unsent if cover.order_id in need.plan.waiting]
        if not waiting:
            return 0
    done = 0
    kept = await _kept(session, case, need, now)
    for cover in need.own_unsent:
        if cover.order_id in kept:
            continue
        if not cover.units:
            why = "the order holds no units of the SKU any more"
        elif cover.order_id in need.plan.waiting:
            why = "the order waits for supply that is due before its ship-by date"
        else:
            why = f"the shortage is {need.shortage} now, other orders or new stock cover it"
        done += await withdraw(session, cover.cancellation_id, why, now)
    return done


async def _kept(session: AsyncSession, case: Oversell, need: Need, now: datetime) -> frozenset[int]:
    """The orders whose proposals stay."""
    own = [cover for cover in need.own_unsent if cover.order_id not in need.plan.waiting]
    able = [cover for cover in own if cover.units]
    if not need.to_give_up:
        return frozenset()
    if len(able) == 1 or sum(cover.units for cover in able) <= need.to_give_up:
        return frozenset(cover.order_id for cover in able)
    ids = [cover.cancellation_id for cover in able]
    found = await proposals.candidates(
        session, case.sku_id, need.pool, order_ids=[each.order_id for each in able], own=ids
    )
    weighed = await weighing.weigh(session, found, case.sku_id, now, without=ids)
    chosen = await asyncio.to_thread(weighed.choose, need.to_give_up)
    # What the channel no longer lets us end is no candidate, and is let go where it is sent.
    others = {cover.order_id for cover in able} - {order.order_id for order in found}
    return frozenset({order.order_id for order in chosen.orders} | others)


async def _choose(session: AsyncSession, case: Oversell, need: Need, now: datetime) -> int:
    """Propose the orders that cost least together; call a person if they are too few.

    The orders are locked in the ledger's order and looked at again before they are proposed: where
    one of them has changed, the next round chooses anew. One choice is made after the other: what
    it adds to a channel's limit depends on what other cases are giving up there.
    """
    await session.execute(select(func.pg_advisory_xact_lock(CHOICE_LOCK)))
    need = await needs.look(session, case.id, now)
    if need.missing <= 0:
        return 0
    found, units = await _able(session, case, need)
    able = proposals.may_be_cancelled(found)
    done = 0
    if able:
        done = await _propose(session, case, need.pool, able, units, now=now)
    if sum(order.units for order in able) < units:
        done += await _call_person(session, case, need, found, now)
    return done


async def _able(session: AsyncSession, case: Oversell, need: Need) -> tuple[list[Candidate], int]:
    """The orders to choose from, and for how many units.

    Where those that do not wait for supply are too few, the ones that do are asked as well.
    """
    waiting = need.plan.waiting
    found = await proposals.candidates(session, case.sku_id, need.pool, waiting=waiting)
    able = sum(order.units for order in proposals.may_be_cancelled(found))
    if not waiting or able >= need.missing:
        return found, need.missing
    everything = await proposals.candidates(session, case.sku_id, need.pool)
    units = need.missing + need.plan.inbound_supply
    if sum(order.units for order in proposals.may_be_cancelled(everything)) < units:
        return found, need.missing
    return everything, units


async def _propose(
    session: AsyncSession,
    case: Oversell,
    pool: Sequence[int],
    able: Sequence[Candidate],
    units: int,
    *,
    now: datetime,
) -> int:
    weighed = await weighing.weigh(session, able, case.sku_id, now)
    chosen = await asyncio.to_thread(weighed.choose, units)
    ids = [offer.order_id for offer in chosen.orders]
    await proposals.lock_orders(session, ids)
    still = await proposals.candidates(session, case.sku_id, pool, order_ids=ids)
    by_id = {order.order_id: order for order in proposals.may_be_cancelled(still)}
    if {key: order.units for key, order in by_id.items()} != {
        offer.order_id: offer.units for offer in chosen.orders
    }:
        return 0
    casework.note(
        session, case.id, "weighed", weighing.choice_shown(weighed, chosen, units=units), now=now
    )
    runner_up = weighing.runner_up_shown(weighed, chosen)
    done = 1
    for offer, cost in zip(chosen.orders, chosen.cost.orders, strict=True):
        saves = costs.saved_by_part(offer, weighed.shops[offer.channel_id])
        said = {
            "cost": weighing.cost_shown(cost, part_saves_yen=saves),
            "runner_up": runner_up,
        }
        done += await proposals.propose(session, case.id, by_id[offer.order_id], said, now)
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
    given_up = sum(order.units for order in proposals.may_be_cancelled(found))
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
    await mitigations.end(session, case, now)
    detail = {"shortage_max": case.shortage_max, "orders_given_up": given_up}
    casework.note(session, case.id, "closed", detail, now=now)
    for kind in (OVERSELL_ALERT, STUCK_ALERT):
        await alerts.close(session, kind=kind, subject=f"sku:{sku.code}", now=now)
    return 1
