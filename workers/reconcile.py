"""Reading numbers back in turn, and judging what was held; the numbers in doubt go first."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from channels.base import AuthExpired, ChannelError, RetryLater, Throttled
from channels.purposes import Purpose, asks
from inventory.reconcile import early, readings, rotation
from workers.push import ring_channels

if TYPE_CHECKING:
    from channels.base import Adapter
    from inventory.reconcile.rotation import Batch
    from workers.runtime import Runtime

log = structlog.get_logger()

LOOP_SECONDS = 15
AUTH_SECONDS = 60
FAILED_SECONDS = 30


@asks(Purpose.BACKGROUND)
async def work(runtime: Runtime, channel_id: int) -> int:
    """Read a channel's numbers back for some seconds; how many were read."""
    async with runtime.lease(f"reconcile:{channel_id}") as mine:
        if not mine:
            return 0
        async with runtime.database.transaction() as session:
            settled = await early.settle(session, channel_id, runtime.clock.now())
        done, differ = await _read(runtime, channel_id)
    if settled or differ:
        runtime.ring("refresh")
        runtime.ring("notify")
        await ring_channels(runtime)
    return done


async def _read(runtime: Runtime, channel_id: int) -> tuple[int, int]:
    """How many numbers were read, and how many differed."""
    clock = asyncio.get_running_loop().time
    ends, done, differ = clock() + LOOP_SECONDS, 0, 0
    try:
        adapter = await runtime.adapter(channel_id)
        while clock() < ends:
            began = clock()
            batch = await _next(runtime, channel_id, adapter)
            if batch is None:
                return done, differ
            differ += await _read_batch(runtime, channel_id, adapter, batch)
            done += len(batch.listings)
            await _pace(runtime, channel_id, len(batch.listings), seconds=clock() - began)
    except ChannelError as error:
        await _postponed(runtime, channel_id, error)
        return done, differ
    # There is more: the next part need not wait for the sweep.
    runtime.ring("reconcile", channel_id)
    return done, differ


async def _next(runtime: Runtime, channel_id: int, adapter: Adapter) -> Batch | None:
    """What to read next; nothing while numbers are in doubt, as those are more urgent."""
    most, now = adapter.capabilities.read_batch_max, runtime.clock.now()
    async with runtime.database.transaction() as session:
        if await readings.due(session, channel_id, most=1, now=now):
            runtime.ring("read", channel_id)
            return None
        allowed = await rotation.per_second(session, channel_id)
        most = min(most, allowed) if allowed else most
        return await rotation.next_batch(session, channel_id, most=most, now=now)


async def _read_batch(runtime: Runtime, channel_id: int, adapter: Adapter, batch: Batch) -> int:
    asked_at = runtime.clock.now()
    answers = await adapter.read_stock([channel_sku for _, channel_sku in batch.listings])
    async with runtime.database.transaction() as session:
        differ = await readings.record(
            session,
            [listing_id for listing_id, _ in batch.listings],
            answers,
            asked_at=asked_at,
            margins=runtime.margins,
            now=runtime.clock.now(),
        )
        await rotation.done(session, channel_id, batch)
    return differ


async def _pace(runtime: Runtime, channel_id: int, count: int, *, seconds: float) -> None:
    """Keep to the readings a second that a person has set; else the read budget is the measure."""
    async with runtime.database.sessions() as session:
        allowed = await rotation.per_second(session, channel_id)
    if allowed:
        await asyncio.sleep(max(count / allowed - seconds, 0.0))


async def _postponed(runtime: Runtime, channel_id: int, error: ChannelError) -> None:
    """Leave the channel alone for a time, as long as it or its budget says."""
    seconds = float(FAILED_SECONDS)
    if isinstance(error, RetryLater):
        seconds = max(error.seconds, 1.0)
    if isinstance(error, AuthExpired):
        seconds = AUTH_SECONDS
    throttled = isinstance(error, Throttled)
    if not throttled:
        log.warning("reconcile_failed", channel_id=channel_id, code=error.code, detail=str(error))
    async with runtime.database.transaction() as session:
        await rotation.postpone(
            session,
            channel_id,
            seconds=seconds,
            failure=None if throttled else f"{error.code}: {error}",
            now=runtime.clock.now(),
        )
