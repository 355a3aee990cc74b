"""Which orders a case gives up: chosen as a whole for as long as nobody has decided about them.

What was proposed when the shortage was smaller or greater is weighed again with all other orders.
Proposals that are not in the least set are taken back in one round and others made in the next:
orders are locked before cancellations, or cancellations alone, never the other way round.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import alerts
from inventory.desk import casework, costs, needs, proposals, weighing
from inventory.desk.cancellations import withdraw
from inventory.desk.choice import Choice
from inventory.desk.field import Field, field_of
from inventory.desk.keeping import Anew
from inventory.desk.needs import Need
from inventory.desk.weighing import Weighed
from inventory.models import (
    Alert,
    Cancellation,
    Channel,
    Oversell,
    OversellStep,
    SalesOrder,
    Sku,
)

CHOICE_LOCK = 0x4F43 << 48
# Orders that cannot be cancelled just now (payment pending) may become so within this time.
PATIENCE = timedelta(minutes=5)
STUCK_ALERT = "oversell_stuck"
UNDECIDED = ("proposed",)


async def tend(session: AsyncSession, case: Oversell, need: Need, now: datetime) -> int:
    """Do the next thing about what the case gives up; how many things were done.

    One choice is made after the other: what it adds to a channel's limit depends on what other
    cases are giving up there. Nothing is weighed while nothing has changed.
    """
    if need.missing <= 0 and not need.own_unsent:
        return 0
    field = await field_of(session, case, need)
    if field.name == case.weighed_of:
        return await _call_person(session, case, field, now) if field.uncovered else 0
    await session.execute(select(func.pg_advisory_xact_lock(CHOICE_LOCK)))
    field = await field_of(session, case, await needs.look(session, case.id, now))
    done = await _take_back(session, field, now)
    done = done or await _without_surplus(session, case, field, now)
    done = done or await _choose(session, case, field, now)
    return done + await _call_person(session, case, field, now)


async def _take_back(session: AsyncSession, field: Field, now: datetime) -> int:
    """Take back what cannot go, need not go or must not go; how many proposals."""
    done = 0
    for cover in field.need.own_unsent:
        if not cover.units:
            why = "the order holds no units of the SKU any more"
        elif cover.order_id in field.need.plan.waiting:
            why = "the order waits for supply that is due before its ship-by date"
        else:
            continue
        done += await withdraw(session, cover.cancellation_id, why, now)
    undecided = {cover.order_id: cover for cover in field.need.undecided}
    for order in field.lost:
        why = f"the order cannot be ended by the shop any more: {order.rule.task}"
        cover = undecided[order.order_id]
        done += await withdraw(session, cover.cancellation_id, why, now, states=UNDECIDED)
    return done


async def _without_surplus(
    session: AsyncSession, case: Oversell, field: Field, now: datetime
) -> int:
    """Take back decisions that are not sent and that the shortage no longer needs.

    Proposals that nobody has decided go before them. What stays covers the rest at the least cost.
    """
    units, need = sum(cover.units for cover in field.firm), field.need.to_give_up
    if field.proposed or not field.firm or units <= need or (need and len(field.firm) == 1):
        return 0
    stay: frozenset[int] = frozenset()
    if need:
        ids = [cover.cancellation_id for cover in field.firm]
        orders = [cover.order_id for cover in field.firm]
        found = await proposals.candidates(
            session, case.sku_id, field.need.pool, order_ids=orders, own=ids
        )
        weighed = await weighing.weigh(session, found, case.sku_id, now, without=ids)
        chosen = await asyncio.to_thread(weighed.choose, need)
        # What the channel no longer lets us end is no candidate: it is let go where it is sent.
        others = set(orders) - {order.order_id for order in found}
        stay = frozenset({order.order_id for order in chosen.orders} | others)
    why = _not_needed(field)
    return sum(
        [
            await withdraw(session, cover.cancellation_id, why, now)
            for cover in field.firm
            if cover.order_id not in stay
        ]
    )


async def _choose(session: AsyncSession, case: Oversell, field: Field, now: datetime) -> int:
    """Choose from all; take back what was proposed and is not chosen, or propose what is new.

    The orders are locked in the ledger's order and looked at again before they are proposed: where
    one of them has changed, the next round chooses anew.
    """
    if not field.units and not field.proposed:
        case.weighed_of = field.name
        return 0
    own = [cover.cancellation_id for cover in field.proposed.values()]
    weighed = await weighing.weigh(session, field.able, case.sku_id, now, without=own)
    anew = await asyncio.to_thread(weighed.choose_anew, field.units, field.proposed.keys())
    chosen = anew.choice
    ids = [offer.order_id for offer in chosen.orders]
    if field.proposed.keys() - set(ids):
        return await _give_way(session, field, anew, now)
    await proposals.lock_orders(session, ids)
    still = await proposals.candidates(
        session, case.sku_id, field.need.pool, order_ids=ids, own=own
    )
    by_id = {order.order_id: order for order in proposals.may_be_cancelled(still)}
    if {key: order.units for key, order in by_id.items()} != {
        offer.order_id: offer.units for offer in chosen.orders
    }:
        return 0
    case.weighed_of = field.name
    done = await _note(session, case, field, weighed, chosen, now)
    for offer, said in zip(chosen.orders, _said(weighed, chosen), strict=True):
        held = field.proposed.get(offer.order_id)
        if held is None:
            done += await proposals.propose(session, case.id, by_id[offer.order_id], said, now)
        else:
            await proposals.price_anew(session, held.cancellation_id, said)
    return done


async def _give_way(session: AsyncSession, field: Field, anew: Anew, now: datetime) -> int:
    """Take back the proposals that are not chosen; what takes their place comes next round."""
    chosen = {offer.order_id for offer in anew.choice.orders}
    yen = anew.choice.cost.total_yen
    why = _not_needed(field)
    if chosen - field.proposed.keys():
        why = f"other orders cost less together: {yen} yen, {anew.as_proposed_yen} yen with this"
    totals = {"cost_yen": yen, "cost_yen_before": anew.as_proposed_yen}
    return sum(
        [
            await withdraw(
                session, cover.cancellation_id, why, now, states=UNDECIDED, detail=totals
            )
            for order_id, cover in field.proposed.items()
            if order_id not in chosen
        ]
    )


def _not_needed(field: Field) -> str:
    return f"the shortage is {field.need.shortage} now, other orders or new stock cover it"


def _said(weighed: Weighed, chosen: Choice) -> list[dict[str, Any]]:
    """What each of the chosen orders costs, and what would have gone instead."""
    runner_up = weighing.runner_up_shown(weighed, chosen)
    return [
        {
            "cost": weighing.cost_shown(
                cost, part_saves_yen=costs.saved_by_part(offer, weighed.shops[offer.channel_id])
            ),
            "runner_up": runner_up,
        }
        for offer, cost in zip(chosen.orders, chosen.cost.orders, strict=True)
    ]


async def _note(
    session: AsyncSession,
    case: Oversell,
    field: Field,
    weighed: Weighed,
    chosen: Choice,
    now: datetime,
) -> int:
    """The step that tells what was weighed; none where the last one tells the same."""
    shown = weighing.choice_shown(weighed, chosen, units=field.units)
    last = await session.scalar(
        select(OversellStep.detail)
        .where(OversellStep.oversell_id == case.id, OversellStep.step == "weighed")
        .order_by(OversellStep.id.desc())
        .limit(1)
    )
    same = last is not None and all(last[name] == shown[name] for name in ("units", "orders"))
    if not chosen.orders or (same and field.proposed.keys() == {o.order_id for o in chosen.orders}):
        return 0
    shown["decided_before"] = await _decided(session, case, field)
    casework.note(session, case.id, "weighed", shown, now=now)
    return 1


async def _decided(session: AsyncSession, case: Oversell, field: Field) -> list[str]:
    """Orders that the case gives up besides: what is chosen comes on top of them."""
    undecided = [cover.cancellation_id for cover in field.proposed.values()]
    rows = await session.execute(
        select(Channel.code, SalesOrder.order_ref)
        .select_from(Cancellation)
        .join(Channel, Channel.id == Cancellation.channel_id)
        .join(SalesOrder, SalesOrder.id == Cancellation.order_id)
        .where(
            Cancellation.oversell_id == case.id,
            Cancellation.state.not_in(("refused", "failed", "observed")),
            Cancellation.id.not_in(undecided),
        )
        .order_by(Cancellation.id)
    )
    return [f"{code}/{order_ref}" for code, order_ref in rows]


async def _call_person(session: AsyncSession, case: Oversell, field: Field, now: datetime) -> int:
    """Call a person where too few orders may be ended, and say when that is over."""
    waits = any(proposals.may_become_open(order) for order in field.found)
    if field.uncovered and waits and now < case.opened_at + PATIENCE:
        return 0
    sku = await session.get_one(Sku, case.sku_id)
    subject = f"sku:{sku.code}"
    if not field.uncovered:
        return await alerts.close(session, kind=STUCK_ALERT, subject=subject, now=now)
    if await _is_called(session, subject):
        return 0
    detail = {
        "oversell": case.id,
        "sku": sku.code,
        "shortage": field.need.shortage,
        "uncovered": field.uncovered,
        "why": "no more orders of this SKU may be cancelled by the shop",
    }
    casework.note(session, case.id, "needs_person", detail, now=now)
    await alerts.fire(session, kind=STUCK_ALERT, subject=subject, detail=detail, now=now)
    return 1


async def _is_called(session: AsyncSession, subject: str) -> bool:
    found = select(Alert.id).where(
        Alert.kind == STUCK_ALERT, Alert.subject == subject, Alert.state == "open"
    )
    return await session.scalar(found.limit(1)) is not None
