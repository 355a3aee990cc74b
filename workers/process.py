"""What the inbox holds and nobody handled when it came in; reservations whose time is over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import structlog
from sqlalchemy import select, tuple_

from inventory.facts import ReservationReleased, Status
from inventory.models import Fact, Reservation

if TYPE_CHECKING:
    from workers.runtime import Runtime

# So many holds are given back in one commit; its locks are over in a few milliseconds.
EXPIRE_BATCH = 50
EXPIRE_READ = 500
# Sales come first: nine times as long as a commit took, nothing is given back.
PAUSE_TIMES = 9
PAUSE_SECONDS_MAX = 0.2
# What is left then is rung for again within a second.
EXPIRE_SECONDS_MAX = 60
log = structlog.get_logger()


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


class Over(NamedTuple):
    """A reservation whose time is over."""

    expires_at: datetime | None
    fact_id: int
    channel_id: int
    reservation_ref: str


async def expire(runtime: Runtime) -> int:
    """Give back reservations whose time is over, each once, for up to a minute; how many.

    Many of them are given back little by little, so that those who sell meanwhile hardly wait.
    """
    ends_at = time.monotonic() + EXPIRE_SECONDS_MAX
    count = 0
    async with runtime.lease("expire") as mine:
        if not mine:
            return 0
        async for over in _over(runtime):
            count += await _give_back_slowly(runtime, over)
            runtime.ring("refresh")
            if time.monotonic() > ends_at:
                break
    return count


async def _give_back_slowly(runtime: Runtime, over: Sequence[Over]) -> int:
    count = 0
    for start in range(0, len(over), EXPIRE_BATCH):
        started = time.monotonic()
        count += await _give_back(runtime, over[start : start + EXPIRE_BATCH])
        took = time.monotonic() - started
        await asyncio.sleep(min(took * PAUSE_TIMES, PAUSE_SECONDS_MAX))
    return count


async def _over(runtime: Runtime) -> AsyncIterator[list[Over]]:
    """The reservations that are over now, oldest first, each read once."""
    now = runtime.clock.now()
    order = (Reservation.expires_at, Reservation.fact_id)
    query = (
        select(*order, Reservation.channel_id, Fact.fact_ref)
        .join(Fact, Fact.id == Reservation.fact_id)
        .where(Reservation.expires_at <= now)
        .order_by(*order)
        .limit(EXPIRE_READ)
    )
    after = query
    while True:
        async with runtime.database.sessions() as session:
            over = [Over(*row) for row in await session.execute(after)]
        if not over:
            return
        yield over
        after = query.where(tuple_(*order) > tuple_(over[-1].expires_at, over[-1].fact_id))


async def _give_back(runtime: Runtime, over: Sequence[Over]) -> int:
    now = runtime.clock.now()
    releases = [
        ReservationReleased(
            channel_id=each.channel_id,
            fact_ref=f"expired:{each.reservation_ref}",
            occurred_at=now,
            reservation_ref=each.reservation_ref,
        )
        for each in over
    ]
    outcomes = await runtime.ledger.apply(releases)
    for release, outcome in zip(releases, outcomes, strict=True):
        if outcome.status is not Status.RECORDED:
            log.error("hold_not_given_back", fact=release.fact_ref, code=outcome.code)
    return sum(outcome.status is Status.RECORDED for outcome in outcomes)
