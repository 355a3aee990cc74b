"""Publishing: stale SKUs to wanted numbers, wanted numbers to the channels, and reading back."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING

from sqlalchemy import select

from channels.base import ChannelError
from channels.purposes import Purpose, asking
from channels.turns import Turn, watched
from inventory import alerts, bulks, listings, publishing, resyncs, shortages
from inventory.models import Channel
from inventory.reconcile import readings
from inventory.vocabulary import Kind
from workers.sender import send, warn
from workers.waiting import waiting, zeros_wait

if TYPE_CHECKING:
    from channels.base import Adapter
    from inventory.publishing import Claim
    from workers.runtime import Runtime

__all__ = ["push", "read", "refresh", "ring_channels", "settle_lost", "waiting"]

OWN_STORE_BATCH = 200
ROUNDS_MAX = 50
# A claim is begun twice as long before the turn as the slowest of the last ones took.
CLAIM_SECONDS_LEAST = 0.3
CLAIMS_REMEMBERED = 8


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
    async with runtime.lease(f"push:{lane}:{channel_id}") as mine:
        if not mine:
            return 0
        try:
            adapter = await _adapter(runtime, channel_id)
        except ChannelError as error:
            warn("adapter_missing", channel_id, error)
            return 0
        line = Line(runtime, adapter, channel_id, lane)
        sent = await line.work()
    if line.more:
        # The next one need not wait for the sweep.
        runtime.ring("push", channel_id, lane)
    if lane != "zero":
        await _ring_zeros(runtime, channel_id)
    return sent


async def _ring_zeros(runtime: Runtime, channel_id: int) -> None:
    """A number that was computed anew when it was claimed may have become a zero."""
    async with runtime.database.sessions() as session:
        if await zeros_wait(session, channel_id, runtime.clock.now()):
            runtime.ring("push", channel_id, "zero")


class Line:
    """The batches of one lane of a channel, one behind the other.

    Where calls go one at a time, waiting for the turn takes the longest. So behind a full batch the
    next one is claimed, and the end of the last one recorded, while a call is under way. The claim
    is as late as it may be without missing the turn: only one batch ever waits, whatever becomes
    urgent goes with the second call from then at the latest, and numbers are as new as they can be.
    Listings of both batches differ, as a claim leaves out what is on its way.
    `more`: there may be more to send.
    """

    def __init__(
        self, runtime: Runtime, adapter: Adapter | None, channel_id: int, lane: str
    ) -> None:
        self._runtime, self._adapter = runtime, adapter
        self._channel_id, self._lane = channel_id, lane
        self._most = adapter.capabilities.push_batch_max if adapter else OWN_STORE_BATCH
        self._going: set[asyncio.Task[None]] = set()
        self._claims_took: deque[float] = deque(maxlen=CLAIMS_REMEMBERED)
        self._sent = 0
        self.more = True

    async def work(self) -> int:
        """Send up to fifty batches; how many numbers went out."""
        # Where the books cannot be written, the other call is broken off: it is in doubt then, as
        # when a worker dies.
        async with asyncio.TaskGroup() as group:
            rounds = 0
            while self.more and rounds < ROUNDS_MAX:
                claim = await self._next()
                if claim is not None:
                    rounds += 1
                    await self._begin(group, claim)
                elif self._going:
                    # What it frees may have to go again.
                    await asyncio.wait(self._going, return_when=asyncio.FIRST_COMPLETED)
                else:
                    self.more = False
        return self._sent

    async def _next(self) -> Claim | None:
        began = time.monotonic()
        claim = await _claimed(
            self._runtime, self._adapter, self._channel_id, self._lane, most=self._most
        )
        self._claims_took.append(time.monotonic() - began)
        return claim

    async def _begin(self, group: asyncio.TaskGroup, claim: Claim) -> None:
        """Send a batch; back at its end, or when it is time to claim the one behind it."""
        turn = Turn()
        sending = group.create_task(self._send(claim, turn))
        before = set(self._going)
        self._going.add(sending)
        sending.add_done_callback(self._going.discard)
        await turn.wait()
        came = time.monotonic()
        if before:
            await asyncio.wait(before)
        if len(claim.pushes) < self._most or not turn.next_seconds:
            await asyncio.wait({sending})
            return
        early = max(CLAIM_SECONDS_LEAST, 2 * max(self._claims_took))
        await asyncio.sleep(max(came + turn.next_seconds - early - time.monotonic(), 0))

    async def _send(self, claim: Claim, turn: Turn) -> None:
        with watched(turn):
            succeeded = await send(self._runtime, self._adapter, claim)
        if succeeded:
            self._sent += len(claim.pushes)
        else:
            # The channel wants to be left alone.
            self.more = False


async def _claimed(
    runtime: Runtime, adapter: Adapter | None, channel_id: int, lane: str, *, most: int
) -> Claim | None:
    """The next batch of a lane; behind all numbers that changed come those of a resync."""
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
            warn("adapter_missing", channel_id, error)
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
        warn("read_failed", channel_id, error)
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
