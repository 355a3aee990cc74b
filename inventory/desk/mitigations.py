"""Mitigate first: what covers a shortage before an order is given up, each step with its result.

What could cover it is judged anew in every round (`mitigation_plan`). Here it is put on record,
the warehouse is asked for units of other locations, and what did not come in time is undone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import alerts
from inventory.desk import casework
from inventory.desk.mitigation_plan import Plan, ready_at
from inventory.desk.needs import Need
from inventory.models import Location, Mitigation, Oversell, Sku

TRANSFER_ALERT = "transfer_wanted"
# Units that the warehouse was asked for and has not sent by then are not waited for any longer.
TRANSFER_PATIENCE = timedelta(hours=24)
OTHER_LOCATION, HOLDS, INBOUND = "other_location", "holds", "inbound_supply"
# How units of each way come into the pool, in the ledger's words.
_COMES_BY = {OTHER_LOCATION: "transfer", INBOUND: "receive"}
_CAME = text("""
SELECT coalesce(sum(on_hand_delta), 0)::int FROM movement
WHERE sku_id = :sku AND location_id = ANY(:pool) AND kind = :kind AND recorded_at >= :since
""").bindparams(bindparam("pool"))
# In the detail of `holds`: those that the ledger is asked to give back just now.
PENDING = "pending"


async def settle(session: AsyncSession, case: Oversell, need: Need, now: datetime) -> int:
    """Put the plan on record; one step, with all results, whenever one of them has changed."""
    held = {
        row.kind: row
        for row in await session.scalars(
            select(Mitigation).where(Mitigation.oversell_id == case.id)
        )
    }
    before = {kind: dict(row.detail) for kind, row in held.items()}
    for kind, units, result in (
        (OTHER_LOCATION, need.plan.other_location, await _other_location(session, need)),
        (HOLDS, 0, {"result": "no hold of this SKU could be released"}),
        (INBOUND, need.plan.inbound_supply, _inbound(need.plan)),
    ):
        if kind not in held:
            held[kind] = Mitigation(
                oversell_id=case.id, kind=kind, state="nothing", units=0, detail={}, judged_at=now
            )
            session.add(held[kind])
            before[kind] = {}
        if kind != HOLDS or not before[kind]:
            needed = need.shortage > need.fixed
            if held[kind].state == "covering" and not units and not needed:
                needed = bool(await _came(session, case, kind, need.pool))
            _judge(held[kind], units, result, needed=needed, now=now)
    await _ask(session, case, held[OTHER_LOCATION], need, now)
    if all(dict(row.detail) == before[kind] for kind, row in held.items()):
        return 0
    detail: dict[str, Any] = {
        kind: {"units": row.units, "state": row.state, **_told(row)} for kind, row in held.items()
    }
    detail["covered"] = need.plan.units
    casework.note(session, case.id, "mitigations", detail, now=now)
    return 1


async def _came(session: AsyncSession, case: Oversell, kind: str, pool: Sequence[int]) -> int:
    """Units that came into the pool this way since the case was opened, less those that left."""
    values = {"sku": case.sku_id, "pool": list(pool), "kind": _COMES_BY[kind]}
    found = await session.scalar(_CAME, values | {"since": case.opened_at})
    return max(found or 0, 0)


def _told(row: Mitigation) -> dict[str, Any]:
    return {name: said for name, said in row.detail.items() if name != PENDING}


def _judge(
    row: Mitigation, units: int, detail: Mapping[str, Any], *, needed: bool, now: datetime
) -> None:
    """What covers no longer is there (`done`), did not come (`undone`), or was not needed."""
    final = row.state == "undone" and row.kind == OTHER_LOCATION
    settled = bool(row.detail) and not needed and row.state != "covering"
    if final or settled or dict(row.detail) == dict(detail):
        return
    if units:
        row.state, row.units = "covering", units
    elif row.state == "covering" and not needed:
        row.state, row.units = "nothing", 0
        detail = {**detail, "result": "not needed: orders that are given up cover it"}
    elif row.state == "covering":
        row.state = "undone" if detail.get("late") else "done"
    row.detail, row.judged_at = dict(detail), now


async def _other_location(session: AsyncSession, need: Need) -> dict[str, Any]:
    plan = need.plan
    if not plan.other_location:
        return {"result": "no units at other sellable locations"}
    to = await session.scalar(select(Location.code).where(Location.id == need.pool[0]))
    return {
        "result": "the warehouse is asked to bring units from other locations"
        if plan.elsewhere
        else "units from other locations are under way",
        "to": to,
        "from": [{"location": each.location, "units": each.units} for each in plan.elsewhere],
        "under_way": [
            {"transfer_ref": each.transfer_ref, "units": each.units} for each in plan.transfers
        ],
    }


def _inbound(plan: Plan) -> dict[str, Any]:
    late: dict[str, Any] = {"late": list(plan.late)} if plan.late else {}
    if not plan.waiters:
        why = "is late" if plan.late else "is due before the ship-by date of an order"
        return {"result": f"supply {why}" if plan.late else f"no supply {why}", **late}
    return {
        "result": "orders wait for supply that is due before their ship-by date",
        "orders": [
            {"order_ref": each.order_ref, "units": each.units, "ship_by": each.ship_by.isoformat()}
            for each in plan.waiters
        ],
        "supplies": [
            {
                "supply_ref": each.supply_ref,
                "units": each.units,
                "ready_at": ready_at(each.due_on).isoformat(),
            }
            for each in plan.supplies
        ],
        **late,
    }


async def _ask(
    session: AsyncSession, case: Oversell, row: Mitigation, need: Need, now: datetime
) -> None:
    """Ask the warehouse by an alert, and take the wish back when it is met or came to nothing."""
    sku = await session.get_one(Sku, case.sku_id)
    subject = f"sku:{sku.code}"
    if row.state == "covering" and need.plan.elsewhere:
        if row.until is None:
            row.until = now + TRANSFER_PATIENCE
        if now < row.until:
            said = {"oversell": case.id, "sku": sku.code, **row.detail}
            await alerts.fire(session, kind=TRANSFER_ALERT, subject=subject, detail=said, now=now)
            return
        row.state, row.judged_at = "undone", now
        row.detail = {**row.detail, "result": "the units did not come in time: no longer counted"}
    if row.until is not None:
        row.until = None
        await alerts.close(session, kind=TRANSFER_ALERT, subject=subject, now=now)


async def pending(session: AsyncSession, case: Oversell) -> bool:
    """Whether the store has yet to be told of holds that were given back, or are just now."""
    found = select(Mitigation.id).where(
        Mitigation.oversell_id == case.id, Mitigation.detail.has_key(PENDING)
    )
    return await session.scalar(found.limit(1)) is not None


async def end(session: AsyncSession, case: Oversell, now: datetime) -> None:
    """The shortage is gone: what covered it is done, and nothing more is asked for."""
    await session.execute(
        update(Mitigation)
        .where(Mitigation.oversell_id == case.id, Mitigation.state == "covering")
        .values(state="done", judged_at=now)
    )
    sku = await session.get_one(Sku, case.sku_id)
    await alerts.close(session, kind=TRANSFER_ALERT, subject=f"sku:{sku.code}", now=now)
