"""Publishing: stale SKUs to wanted numbers, wanted numbers to the channels, and reading back."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import select

from channels.base import AuthExpired, ChannelError, OutcomeUnknown, RetryLater
from channels.purposes import Purpose, asking
from inventory import (
    alerts,
    bulks,
    deliveries,
    listings,
    publishing,
    readings,
    resyncs,
    shortages,
)
from inventory.models import Channel
from inventory.vocabulary import Kind, PushOutcome, PushStatus
from workers.pull import AUTH_SECONDS
from workers.waiting import waiting

if TYPE_CHECKING:
    from channels.base import Adapter
    from inventory.publishing import Claim
    from workers.runtime import Runtime

__all__ = ["push", "read", "refresh", "ring_channels", "settle_lost", "waiting"]

log = structlog.get_logger()

OWN_STORE_BATCH = 200
ROUNDS_MAX = 50
REPEATS_MAX = 2
# A push without an end by then is in doubt; `publishing.LOST_SECONDS` is longer, so that nothing
# of it is still under way when its numbers are read back.
CALL_SECONDS_MAX = 45
PURPOSES = {
    publishing.ZERO: Purpose.ZERO,
    publishing.NUMBER: Purpose.NUMBER,
    publishing.RESYNC: Purpose.BACKGROUND,
}


async def refresh(runtime: Runtime) -> int:
    """Work off the stale marks, tell the alerts, and ring for the channels concerned."""
    refreshed = 0
    async with runtime.lease("refresh") as mine:
        while mine and (count := await _refresh_some(runtime)):
            refreshed += count
            await ring_channels(runtime)
    return refreshed


async def _refresh_some(runtime: Runtime) -> int:
    now = runtime.clock.now()
    async with runtime.database.transaction() as session:
        sku_ids = await listings.refresh(session, margins=runtime.margins, now=now)
        if sku_ids:
            await alerts.evaluate(session, sku_ids, now)
        doubtful = await shortages.doubtful(session, sku_ids)
    await shortages.judge(runtime.database, doubtful, now)
    # A transaction of its own: two sets of listings in one could cross somebody else's locks.
    async with runtime.database.transaction() as session:
        return len(sku_ids) + await listings.reassess(session, margins=runtime.margins, now=now)


async def ring_channels(runtime: Runtime) -> None:
    """Ring once for each lane of each channel that has something to send or to read."""
    async with runtime.database.sessions() as session:
        for task, arguments in await waiting(session, runtime.clock.now()):
            runtime.ring(task, *arguments)


async def push(runtime: Runtime, channel_id: int, lane: str) -> int:
    """Send what one lane of a channel has to send, batch by batch; how many numbers went out."""
    sent = 0
    async with runtime.lease(f"push:{lane}:{channel_id}") as mine:
        if not mine:
            return 0
        try:
            adapter = await _adapter(runtime, channel_id)
        except ChannelError as error:
            _warn("adapter_missing", channel_id, error)
            return 0
        for _ in range(ROUNDS_MAX):
            claim = await _claimed(runtime, adapter, channel_id, lane)
            if claim is None or not await _send(runtime, adapter, claim):
                return sent
            sent += len(claim.pushes)
    # There is more: the next one need not wait for the sweep.
    runtime.ring("push", channel_id, lane)
    return sent


async def _claimed(
    runtime: Runtime, adapter: Adapter | None, channel_id: int, lane: str
) -> Claim | None:
    """The next batch of a lane; behind all numbers that changed come those of a resync."""
    most = adapter.capabilities.push_batch_max if adapter else OWN_STORE_BATCH
    bulk = adapter is not None and adapter.capabilities.bulk_max > 0
    now, margins = runtime.clock.now(), runtime.margins
    async with runtime.database.transaction() as session:
        claim = await publishing.claim(
            session,
            channel_id,
            zero=lane == "zero",
            most=most,
            margins=margins,
            now=now,
            takes_back=adapter is not None and adapter.capabilities.takes_back,
        )
        if claim is not None or lane == "zero":
            return claim
        if not bulk or not await bulks.worth_it(session, channel_id, now):
            return await resyncs.claim(session, channel_id, most=most, margins=margins, now=now)
    runtime.ring("bulk", channel_id)
    return None


async def _adapter(runtime: Runtime, channel_id: int) -> Adapter | None:
    """The channel's adapter; None for an own store. Raises `ChannelError`."""
    async with runtime.database.sessions() as session:
        kind = await session.scalar(select(Channel.kind).where(Channel.id == channel_id))
    return None if kind == Kind.OWN_STORE else await runtime.adapter(channel_id)


async def _send(runtime: Runtime, adapter: Adapter | None, claim: Claim) -> bool:
    """Send one batch and record its end; False when the channel wants to be left alone."""
    if adapter is None:
        await _tell(runtime, claim)
        return True
    failure: ChannelError | None = None
    outcomes: list[PushOutcome] = []
    try:
        with asking(PURPOSES[claim.lane]):
            outcomes = await _called(adapter, claim)
    except OutcomeUnknown as error:
        failure = error
        outcomes = publishing.unknown([row.channel_sku for row in claim.pushes], detail=error)
    except (RetryLater, AuthExpired) as error:
        failure = error
    except ChannelError as error:
        failure = error
        outcomes = refused(claim, error)
    if failure is not None:
        _warn("push_failed", claim.channel_id, failure)
    async with runtime.database.transaction() as session:
        await publishing.finish(
            session,
            claim.push_id,
            outcomes,
            now=runtime.clock.now(),
            failure=failure.code if failure else None,
            wait_seconds=_wait_seconds(failure),
        )
    # A sale that came in meanwhile shows now, and not at the next sweep.
    async with runtime.database.transaction() as session:
        await listings.reassess(session, margins=runtime.margins, now=runtime.clock.now())
    return failure is None


def _wait_seconds(failure: ChannelError | None) -> float:
    if isinstance(failure, AuthExpired):
        return AUTH_SECONDS
    return failure.seconds if isinstance(failure, RetryLater) else 0


async def _called(adapter: Adapter, claim: Claim) -> list[PushOutcome]:
    """Send a batch; where the channel knows a repeat by its key, ask again before giving up."""
    # Guarded decrements are never repeated: each would take units back once more.
    repeatable = adapter.capabilities.repeatable and not claim.takes_back
    repeats = REPEATS_MAX if repeatable else 0
    try:
        async with asyncio.timeout(CALL_SECONDS_MAX):
            return await _asked(adapter, claim, repeats)
    except TimeoutError as error:
        raise OutcomeUnknown(f"no end after {CALL_SECONDS_MAX} s") from error


async def _asked(adapter: Adapter, claim: Claim, repeats: int) -> list[PushOutcome]:
    if claim.takes_back:
        return [await adapter.take_back(claim.pushes[0])]
    for _ in range(repeats):
        with contextlib.suppress(OutcomeUnknown):
            return await adapter.push_quantities(claim.pushes)
    return await adapter.push_quantities(claim.pushes)


def _warn(event: str, channel_id: int, error: ChannelError) -> None:
    log.warning(event, channel_id=channel_id, code=error.code, detail=str(error))


def refused(claim: Claim, error: ChannelError) -> list[PushOutcome]:
    return [
        PushOutcome(
            channel_sku=row.channel_sku,
            status=PushStatus.REFUSED,
            code=error.code,
            detail=str(error),
        )
        for row in claim.pushes
    ]


async def _tell(runtime: Runtime, claim: Claim) -> None:
    """An own store has no API of its own: it asks us, or is told by webhook."""
    now = runtime.clock.now()
    accepted = [
        PushOutcome(channel_sku=row.channel_sku, status=PushStatus.ACCEPTED) for row in claim.pushes
    ]
    async with runtime.database.transaction() as session:
        code = await session.scalar(select(Channel.code).where(Channel.id == claim.channel_id))
        # In one order, so that two transactions cannot wait for each other.
        for row in sorted(claim.pushes, key=lambda row: row.channel_sku):
            await deliveries.enqueue_quantity(
                session,
                channel=code or "",
                channel_sku=row.channel_sku,
                quantity=row.quantity,
                revision=claim.push_id,
                now=now,
            )
        await publishing.finish(session, claim.push_id, accepted, now=now)
    runtime.ring("notify")


async def settle_lost(runtime: Runtime) -> int:
    """End pushes whose sender died, as unknown; their numbers are read back."""
    now = runtime.clock.now()
    async with runtime.database.sessions() as session:
        single, jobs = await publishing.lost_pushes(session, now), await bulks.lost(session, now)
    for push_id in (*single, *jobs):
        finish = bulks.finish if push_id in jobs else publishing.finish
        async with runtime.database.transaction() as session:
            channel_skus = await publishing.push_refs(session, push_id)
            outcomes = publishing.unknown(channel_skus, detail="the sender died")
            await finish(session, push_id, outcomes, now=now, failure="sender_died")
    return len(single) + len(jobs)


async def read(runtime: Runtime, channel_id: int) -> int:
    """Read back the numbers that are in doubt; how many were read."""
    done = 0
    async with runtime.lease(f"read:{channel_id}") as mine:
        if not mine:
            return 0
        try:
            adapter = await _adapter(runtime, channel_id)
        except ChannelError as error:
            _warn("adapter_missing", channel_id, error)
            return 0
        for _ in range(ROUNDS_MAX):
            count = await _read_some(runtime, channel_id, adapter) if adapter else 0
            if not count:
                break
            done += count
        if done:
            await ring_channels(runtime)
    return done


async def _read_some(runtime: Runtime, channel_id: int, adapter: Adapter) -> int:
    """Read as many numbers as one call takes; 0 when none is due or the channel fails."""
    asked_at = runtime.clock.now()
    async with runtime.database.sessions() as session:
        due = await readings.due(
            session, channel_id, most=adapter.capabilities.read_batch_max, now=asked_at
        )
    if not due:
        return 0
    listing_ids = [listing_id for listing_id, _ in due]
    try:
        with asking(Purpose.READ_BACK):
            answers = await adapter.read_stock([channel_sku for _, channel_sku in due])
    except ChannelError as error:
        _warn("read_failed", channel_id, error)
        async with runtime.database.transaction() as session:
            await readings.failed(session, listing_ids, f"{error.code}: {error}")
        return 0
    async with runtime.database.transaction() as session:
        await readings.record(
            session,
            listing_ids,
            answers,
            asked_at=asked_at,
            margins=runtime.margins,
            now=runtime.clock.now(),
        )
    return len(due)
