"""Holds that can be given back before an order is given up: those that are over, or unpaid.

A hold is a promise to a basket, an order one to a buyer. Of a channel whose desk decides by itself,
holds that no order has taken after a quarter of an hour are given back, the newest first, and the
store is told; of others only those whose time is over.

What goes back is noted before the ledger is asked, and told from what the ledger has recorded: a
worker that dies in between leaves a note, and the next one asks for the same again, which is once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct
from sqlalchemy import bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import deliveries
from inventory.desk import casework, needs
from inventory.desk.mitigations import HOLDS, PENDING
from inventory.facts import ReservationReleased
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


_GIVEN_BACK = text("""
SELECT f.channel_id, f.fact_ref, -sum(m.reserved_delta) AS units
FROM unnest(CAST(:channels AS int[]), CAST(:refs AS text[])) AS told(channel_id, fact_ref)
JOIN fact f ON f.channel_id = told.channel_id AND f.fact_ref = told.fact_ref
JOIN oversell c ON c.id = :case
JOIN movement m ON m.fact_id = f.id AND m.recorded_at = f.recorded_at AND m.sku_id = c.sku_id
GROUP BY f.id HAVING sum(m.reserved_delta) < 0
""")


class Spare(Struct, frozen=True, kw_only=True):
    """A hold to be given back, and the units of the SKU that it holds in the short pool."""

    channel: str
    release: ReservationReleased
    units: int
    over: bool


async def begin(session: AsyncSession, oversell_id: int, now: datetime) -> list[Spare]:
    """Note which holds go back for a case, and return them: first those that were noted before.

    None while another worker is at the case.
    """
    row = await _on_record(session, oversell_id)
    found = (
        [] if row is not None and PENDING in row.detail else await _find(session, oversell_id, now)
    )
    if row is None and not found:
        return []
    if not await session.scalar(casework.case_lock(oversell_id, wait=False)):
        return []
    row = await _on_record(session, oversell_id)
    if row is not None and PENDING in row.detail:
        return msgspec.convert(row.detail[PENDING], list[Spare])
    if not found:
        return []
    if row is None:
        row = Mitigation(
            oversell_id=oversell_id, kind=HOLDS, state="nothing", units=0, detail={}, judged_at=now
        )
        session.add(row)
    row.detail = {**row.detail, PENDING: msgspec.to_builtins(found)}
    return found


async def _find(session: AsyncSession, oversell_id: int, now: datetime) -> list[Spare]:
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
    # A basket goes before an order, also before one that is proposed and not decided.
    wanted = need.missing + need.plan.inbound_supply + sum(each.units for each in need.undecided)
    if wanted <= 0:
        return []
    values = {
        "sku": case.sku_id,
        "pool": list(need.pool),
        "now": now,
        "unpaid": now - UNPAID_AFTER,
        "most": HOLDS_MAX,
    }
    found: list[Spare] = []
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


async def note(session: AsyncSession, oversell_id: int, now: datetime) -> int:
    """Put on record what was given back, and tell the store; how many holds.

    By what the ledger has recorded: a hold that an order took just before was not given back.
    """
    await session.execute(casework.case_lock(oversell_id, wait=True))
    row = await _on_record(session, oversell_id)
    if row is None or PENDING not in row.detail:
        return 0
    pending = msgspec.convert(row.detail[PENDING], list[Spare])
    detail = {name: said for name, said in row.detail.items() if name != PENDING}
    done = await _given_back(session, oversell_id, pending)
    if done:
        row.state, row.judged_at = "done", now
        row.units += sum(units for _, units in done)
        detail["result"] = f"{row.units} units of holds were released"
    row.detail = detail
    for each, units in done:
        body = {
            "channel": each.channel,
            "reservation_ref": each.release.reservation_ref,
            "oversell": oversell_id,
            "units": units,
            "why": "its time was over"
            if each.over
            else "no order has taken it, and stock is short",
        }
        casework.note(session, oversell_id, "hold_released", body, now=now)
        if not each.over:
            await deliveries.enqueue(session, RELEASED_EVENT, body, now)
    return len(done)


async def _given_back(
    session: AsyncSession, oversell_id: int, spare: Sequence[Spare]
) -> list[tuple[Spare, int]]:
    """Those that our own release has ended, and the units of the case's SKU that came back."""
    values = {
        "case": oversell_id,
        "channels": [each.release.channel_id for each in spare],
        "refs": [each.release.fact_ref for each in spare],
    }
    units = {
        (row.channel_id, row.fact_ref): min(row.units, each.units)
        for row in await session.execute(_GIVEN_BACK, values)
        for each in spare
        if (row.channel_id, row.fact_ref) == (each.release.channel_id, each.release.fact_ref)
    }
    names = [(each, (each.release.channel_id, each.release.fact_ref)) for each in spare]
    return [(each, units[name]) for each, name in names if name in units]


async def _on_record(session: AsyncSession, oversell_id: int) -> Mitigation | None:
    """What the case has on record of holds, as it stands now."""
    return await session.scalar(
        select(Mitigation)
        .where(Mitigation.oversell_id == oversell_id, Mitigation.kind == HOLDS)
        .execution_options(populate_existing=True)
    )
