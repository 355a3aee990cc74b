"""What the inbox holds and nobody handled when it came in; reservations whose time is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from inventory.decisions import HOLD
from inventory.facts import ReservationReleased
from inventory.models import SalesOrder

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
            select(SalesOrder.channel_id, SalesOrder.order_ref)
            .where(
                SalesOrder.reservation.is_(True),
                SalesOrder.cancelled.is_(False),
                SalesOrder.expires_at <= now,
            )
            .order_by(SalesOrder.expires_at)
            .limit(EXPIRE_MAX)
        )
        releases = [
            ReservationReleased(
                channel_id=channel_id,
                fact_ref=f"expired:{order_ref}",
                occurred_at=now,
                reservation_ref=order_ref.removeprefix(HOLD),
            )
            for channel_id, order_ref in over
        ]
    await runtime.ledger.apply(releases)
    if releases:
        runtime.ring("refresh")
    return len(releases)
