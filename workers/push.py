"""Publishing: stale SKUs to wanted numbers, wanted numbers to the channels, and reading back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from channels.base import ChannelError, OutcomeUnknown, RetryLater
from inventory import alerts, deliveries, listings, publishing, readings
from inventory.listings import RELATIVE_KINDS
from inventory.models import Channel
from inventory.vocabulary import Kind, PushOutcome, PushStatus

if TYPE_CHECKING:
    from datetime import datetime

    from inventory.publishing import Claim
    from workers.runtime import Runtime

log = structlog.get_logger()

OWN_STORE_BATCH = 200
ROUNDS_MAX = 50


async def refresh(runtime: Runtime) -> int:
    """Work off the stale marks, tell the alerts, and ring for the channels concerned."""
    refreshed = 0
    async with runtime.lease("refresh") as mine:
        while mine and (count := await _refresh_some(runtime)):
            refreshed += count
            await ring_channels(runtime)
    return refreshed


async def _refresh_some(runtime: Runtime) -> int:
    async with runtime.database.transaction() as session:
        now = runtime.clock.now()
        sku_ids = await listings.refresh(session, margins=runtime.margins, now=now)
        again = await listings.reassess(session, margins=runtime.margins, now=now)
        if sku_ids:
            await alerts.evaluate(session, sku_ids, now)
    return len(sku_ids) + again


_WAITING = text("""
SELECT l.channel_id, coalesce(
    bool_or(l.lane = 'zero' AND l.zero_push_id IS NULL), false) AS zeros,
  coalesce(bool_or(l.push_id IS NULL AND (l.lane = 'lower'
    OR l.lane = 'raise' AND (c.watermark > l.raise_since
      OR c.kind = ANY(:relative) AND c.watermark > l.known_at))), false) AS numbers,
  coalesce(bool_or(l.lane = 'read' AND l.read_after IS NULL OR l.read_after <= :now), false)
    AS reads
FROM listing l JOIN channel c ON c.id = l.channel_id
WHERE (l.revision_published < l.revision_wanted AND (l.not_before IS NULL OR l.not_before <= :now))
  OR l.read_after <= :now
GROUP BY l.channel_id
""")


async def waiting(
    session: AsyncSession, now: datetime
) -> list[tuple[str, tuple[int] | tuple[int, str]]]:
    """The work that listings wait for: (task, its arguments)."""
    rows = await session.execute(_WAITING, {"now": now, "relative": list(RELATIVE_KINDS)})
    work: list[tuple[str, tuple[int] | tuple[int, str]]] = []
    for channel_id, zeros, numbers, reads in rows:
        if zeros:
            work.append(("push", (channel_id, "zero")))
        if numbers:
            work.append(("push", (channel_id, "number")))
        if reads:
            work.append(("read", (channel_id,)))
    return work


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
        for _ in range(ROUNDS_MAX):
            most = await _batch_max(runtime, channel_id)
            async with runtime.database.transaction() as session:
                claim = await publishing.claim(
                    session,
                    channel_id,
                    zero=lane == "zero",
                    most=most,
                    margins=runtime.margins,
                    now=runtime.clock.now(),
                )
            if claim is None:
                break
            if not await _send(runtime, claim):
                break
            sent += len(claim.pushes)
    return sent


async def _kind(runtime: Runtime, channel_id: int) -> str | None:
    async with runtime.database.sessions() as session:
        return await session.scalar(select(Channel.kind).where(Channel.id == channel_id))


async def _batch_max(runtime: Runtime, channel_id: int) -> int:
    if await _kind(runtime, channel_id) == Kind.OWN_STORE:
        return OWN_STORE_BATCH
    return (await runtime.adapter(channel_id)).capabilities.push_batch_max


async def _send(runtime: Runtime, claim: Claim) -> bool:
    """Send one batch and record its end; False when the channel wants to be left alone."""
    if await _kind(runtime, claim.channel_id) == Kind.OWN_STORE:
        await _tell(runtime, claim)
        return True
    adapter = await runtime.adapter(claim.channel_id)
    failure: ChannelError | None = None
    outcomes: list[PushOutcome] = []
    try:
        outcomes = await adapter.push_quantities(claim.pushes)
    except OutcomeUnknown as error:
        failure = error
        outcomes = publishing.unknown([row.channel_sku for row in claim.pushes], detail=error)
    except RetryLater as error:
        failure = error
    except ChannelError as error:
        failure = error
        outcomes = _refused(claim, error)
    if failure is not None:
        log.warning(
            "push_failed", channel_id=claim.channel_id, code=failure.code, detail=str(failure)
        )
    async with runtime.database.transaction() as session:
        await publishing.finish(
            session,
            claim.push_id,
            outcomes,
            now=runtime.clock.now(),
            failure=failure.code if failure else None,
            wait_seconds=failure.seconds if isinstance(failure, RetryLater) else 0,
        )
    return failure is None


def _refused(claim: Claim, error: ChannelError) -> list[PushOutcome]:
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
        for row in claim.pushes:
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
    async with runtime.database.transaction() as session:
        now = runtime.clock.now()
        lost = await publishing.lost_pushes(session, now)
        for push_id in lost:
            channel_skus = await publishing.push_refs(session, push_id)
            outcomes = publishing.unknown(channel_skus, detail="the sender died")
            await publishing.finish(session, push_id, outcomes, now=now, failure="sender_died")
    return len(lost)


async def read(runtime: Runtime, channel_id: int) -> int:
    """Read back the numbers that are in doubt; how many were read."""
    done = 0
    async with runtime.lease(f"read:{channel_id}") as mine:
        if not mine or await _kind(runtime, channel_id) == Kind.OWN_STORE:
            return 0
        adapter = await runtime.adapter(channel_id)
        for _ in range(ROUNDS_MAX):
            asked_at = runtime.clock.now()
            async with runtime.database.sessions() as session:
                due = await readings.due(
                    session, channel_id, most=adapter.capabilities.read_batch_max, now=asked_at
                )
            if not due:
                break
            try:
                answers = await adapter.read_stock([channel_sku for _, channel_sku in due])
            except ChannelError as error:
                log.warning(
                    "read_failed", channel_id=channel_id, code=error.code, detail=str(error)
                )
                break
            async with runtime.database.transaction() as session:
                await readings.record(
                    session,
                    [listing_id for listing_id, _ in due],
                    answers,
                    asked_at=asked_at,
                    margins=runtime.margins,
                    now=runtime.clock.now(),
                )
            done += len(due)
        if done:
            await ring_channels(runtime)
    return done
