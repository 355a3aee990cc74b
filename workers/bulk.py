"""Bulk jobs: first publish and resync of what does not sell, where a channel takes them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

import structlog

from channels.base import AuthExpired, ChannelError, OutcomeUnknown, RetryLater
from channels.purposes import Purpose, asks
from inventory import bulks, leases, publishing
from workers.push import ring_channels
from workers.sender import CALL_SECONDS_MAX, refused

if TYPE_CHECKING:
    from channels.base import Adapter
    from inventory.publishing import Claim
    from inventory.vocabulary import PushOutcome, QuantityPush
    from workers.runtime import Runtime

log = structlog.get_logger()

# A job is asked about once in so many seconds, however often somebody rings.
LOOK_SECONDS = 15
GATHER_MAX = 1000


@asks(Purpose.BACKGROUND)
async def work(runtime: Runtime, channel_id: int) -> int:
    """Look after a channel's bulk job, or begin one if it is worth it; how many numbers."""
    async with runtime.database.transaction() as session:
        # Not given back: until it ends, nobody looks again.
        mine = await leases.take(
            session,
            f"bulk:{channel_id}",
            holder=uuid4().hex,
            seconds=LOOK_SECONDS,
            now=runtime.clock.now(),
        )
    if not mine:
        return 0
    try:
        adapter = await runtime.adapter(channel_id)
        if not adapter.capabilities.bulk_max:
            return 0
        async with runtime.database.sessions() as session:
            jobs = await bulks.open_jobs(session, channel_id)
        if not jobs:
            return await _begin(runtime, adapter, channel_id)
        return await look(runtime, adapter, channel_id)
    except ChannelError as error:
        log.warning("bulk_failed", channel_id=channel_id, code=error.code, detail=str(error))
        return 0


async def _begin(runtime: Runtime, adapter: Adapter, channel_id: int) -> int:
    """Make up a job and hand it in. Where that fails, its numbers are free again, or in doubt."""
    async with runtime.database.sessions() as session:
        if not await bulks.worth_it(session, channel_id, runtime.clock.now()):
            return 0
    claims = await _gathered(runtime, channel_id, most=adapter.capabilities.bulk_max)
    pushes: list[QuantityPush] = [row for claim in claims for row in claim.pushes]
    if not pushes:
        return 0
    try:
        async with asyncio.timeout(CALL_SECONDS_MAX):
            reference = await adapter.push_bulk(pushes)
    except (OutcomeUnknown, TimeoutError) as error:
        doubt = publishing.unknown([row.channel_sku for row in pushes], detail=error)
        await _end(runtime, [claim.push_id for claim in claims], doubt, failure="outcome_unknown")
        log.warning("bulk_in_doubt", channel_id=channel_id, detail=repr(error))
        return 0
    except (RetryLater, AuthExpired) as error:
        log.warning("bulk_failed", channel_id=channel_id, code=error.code, detail=str(error))
        await _end(runtime, [claim.push_id for claim in claims], [], failure=error.code)
        return 0
    except ChannelError as error:
        log.warning("bulk_refused", channel_id=channel_id, code=error.code, detail=str(error))
        wrong = [each for claim in claims for each in refused(claim, error)]
        await _end(runtime, [claim.push_id for claim in claims], wrong, failure=error.code)
        return 0
    async with runtime.database.transaction() as session:
        await bulks.handed_in(session, [claim.push_id for claim in claims], reference)
    log.info("bulk_handed_in", channel_id=channel_id, reference=reference, numbers=len(pushes))
    return len(pushes)


async def _gathered(runtime: Runtime, channel_id: int, *, most: int) -> list[Claim]:
    """Up to `most` numbers, a thousand at a time so that nobody waits long for their listings."""
    claims: list[Claim] = []
    left, after = most, 0
    while left > 0:
        async with runtime.database.transaction() as session:
            claim, after = await bulks.gather(
                session,
                channel_id,
                after=after,
                most=min(left, GATHER_MAX),
                margins=runtime.margins,
                now=runtime.clock.now(),
            )
        if claim is not None:
            claims.append(claim)
            left -= len(claim.pushes)
        if not after:
            break
    return claims


async def look(runtime: Runtime, adapter: Adapter, channel_id: int) -> int:
    """Ask what became of the channel's jobs; numbers whose end is known now."""
    async with runtime.database.sessions() as session:
        jobs = await bulks.open_jobs(session, channel_id)
    done = 0
    for reference in dict.fromkeys(job.reference for job in jobs if job.reference):
        outcomes = await adapter.bulk_state(reference)
        if outcomes is None:
            continue
        done += len(outcomes)
        ids = [job.id for job in jobs if job.reference == reference]
        await _end(runtime, ids, outcomes)
    if done:
        await ring_channels(runtime)
    return done


async def _end(
    runtime: Runtime,
    push_ids: list[int],
    outcomes: list[PushOutcome],
    *,
    failure: str | None = None,
) -> None:
    for push_id in push_ids:
        async with runtime.database.transaction() as session:
            now = runtime.clock.now()
            await bulks.finish(session, push_id, outcomes, now=now, failure=failure)
