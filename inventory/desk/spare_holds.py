"""Holds that can be given back before an order is given up: those that are over, or unpaid.

A hold is a promise to a basket, an order one to a buyer. Of a channel whose desk decides by itself,
holds that no order has taken after a quarter of an hour are given back, the newest first, and the
store is told; of others only those whose time is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from sqlalchemy import bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import deliveries
from inventory.desk import casework, needs
from inventory.desk.mitigations import HOLDS
from inventory.facts import Outcome, ReservationReleased, Status
from inventory.models import Mitigation, Oversell, Reservation

# Whoever is paying just now is left alone.
UNPAID_AFTER = timedelta(minutes=15)
HOLDS_MAX = 100
RELEASED_EVENT = "reservation.released"

_SPARE = text("""
SELECT r.channel_id, c.code AS channel, f.fact_ref AS ref, r.expires_at, held.units
FROM reservation r JOIN fact f ON f.id = r.fact_id JOIN channel c ON c.id = r.channel_id
CROSS JOIN LATERAL (
  SELECT sum(r.parts[n + 2]) AS units FROM generate_series(1, cardinality(r.parts), 3) AS n
  WHERE r.parts[n] = :sku AND r.parts[n + 1] = ANY(:pool)
) held
WHERE r.parts @> ARRAY[:sku] AND held.units > 0 AND (r.expires_at <= :now
  OR c.desk_policy = 'auto' AND f.recorded_at <= :unpaid)
ORDER BY r.expires_at <= :now DESC NULLS LAST, f.recorded_at DESC, r.fact_id DESC LIMIT :most
""").bindparams(bindparam("pool"))


class Spare(Struct, frozen=True, kw_only=True):
    """A hold to be given back, and the units of the SKU that it holds in the short pool."""

    channel: str
    release: ReservationReleased
    units: int
    over: bool


async def find(session: AsyncSession, oversell_id: int, now: datetime) -> list[Spare]:
    """Holds to give back for a case: all that are over, and unpaid ones until nothing is missing.

    Before supply is waited for: what is there now is worth more than what may come.
    """
    case = await session.get(Oversell, oversell_id)
    if case is None or case.state != "open" or not case.shortage:
        return []
    held = select(Reservation.fact_id).where(Reservation.parts.contains([case.sku_id])).limit(1)
    if await session.scalar(held) is None:
        return []
    need = await needs.look(session, oversell_id, now)
    if need.missing + need.plan.inbound_supply <= 0:
        return []
    values = {
        "sku": case.sku_id,
        "pool": list(need.pool),
        "now": now,
        "unpaid": now - UNPAID_AFTER,
        "most": HOLDS_MAX,
    }
    found: list[Spare] = []
    wanted = need.missing + need.plan.inbound_supply
    for row in await session.execute(_SPARE, values):
        over = row.expires_at is not None and row.expires_at <= now
        if not over and sum(each.units for each in found) >= wanted:
            continue
        release = ReservationReleased(
            channel_id=row.channel_id,
            fact_ref=f"oversell-{oversell_id}:{row.ref}",
            occurred_at=now,
            reservation_ref=row.ref,
        )
        found.append(Spare(channel=row.channel, release=release, units=row.units, over=over))
    return found


async def note(
    session: AsyncSession,
    oversell_id: int,
    spare: Sequence[Spare],
    outcomes: Sequence[Outcome],
    now: datetime,
) -> int:
    """Put on record what was given back, and tell the store; how many holds."""
    done = [
        each
        for each, outcome in zip(spare, outcomes, strict=True)
        if outcome.status is Status.RECORDED and not outcome.repeated
    ]
    if not done:
        return 0
    row = await session.scalar(
        select(Mitigation).where(Mitigation.oversell_id == oversell_id, Mitigation.kind == HOLDS)
    )
    if row is None:
        row = Mitigation(oversell_id=oversell_id, kind=HOLDS, units=0)
        session.add(row)
    row.state, row.judged_at = "done", now
    row.units += sum(each.units for each in done)
    row.detail = {"result": f"{row.units} units of holds were released"}
    for each in done:
        body = {
            "channel": each.channel,
            "reservation_ref": each.release.reservation_ref,
            "oversell": oversell_id,
            "units": each.units,
            "why": "its time was over"
            if each.over
            else "no order has taken it, and stock is short",
        }
        casework.note(session, oversell_id, "hold_released", body, now=now)
        if not each.over:
            await deliveries.enqueue(session, RELEASED_EVENT, body, now)
    return len(done)
