"""What the inbox holds and nobody handled when it came in; reservations whose time is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from inventory.facts import ReservationReleased
from inventory.models import Fact, Reservation

if TYPE_CHECKING:
    from workers.runtime import Runtime

EXPIRE_MAX = 500


async def work(runtime: Runtime) -> int:
    """Handle new events until there are none; how many."""
    handled = 0
    async with runtime.lease("process") as mine:
        while mine:
            count = await runtime.inbox.handle()
            if not count:
                break
            handled += count
    if handled:
        runtime.ring("refresh")
    return handled


async def expire(runtime: Runtime) -> int:
    """Give back reservations whose time is over, each once; how many."""
    now = runtime.clock.now()
    async with runtime.database.sessions() as session:
        over = await session.execute(
            select(Reservation.channel_id, Fact.fact_ref)
            .join(Fact, Fact.id == Reservation.fact_id)
            .where(Reservation.expires_at <= now)
            .order_by(Reservation.expires_at)
            .limit(EXPIRE_MAX)
        )
        releases = [
            ReservationReleased(
                channel_id=channel_id,
                fact_ref=f"expired:{reservation_ref}",
                occurred_at=now,
                reservation_ref=reservation_ref,
            )
            for channel_id, reservation_ref in over
        ]
    await runtime.ledger.apply(releases)
    if releases:
        runtime.ring("refresh")
    return len(releases)
