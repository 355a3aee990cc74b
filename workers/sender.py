"""One batch on its way: the call to the channel, and what its end makes of the numbers."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import select

from channels.base import AuthExpired, ChannelError, OutcomeUnknown, RetryLater
from channels.purposes import Purpose, asking
from inventory import deliveries, listings, publishing
from inventory.models import Channel
from inventory.vocabulary import PushOutcome, PushStatus
from workers.pull import AUTH_SECONDS

if TYPE_CHECKING:
    from channels.base import Adapter
    from inventory.publishing import Claim
    from workers.runtime import Runtime

log = structlog.get_logger()

REPEATS_MAX = 2
# A push without an end by then is in doubt; `publishing.LOST_SECONDS` is longer, so that nothing
# of it is still under way when its numbers are read back.
CALL_SECONDS_MAX = 45
PURPOSES = {
    publishing.ZERO: Purpose.ZERO,
    publishing.NUMBER: Purpose.NUMBER,
    publishing.RESYNC: Purpose.BACKGROUND,
}


async def send(runtime: Runtime, adapter: Adapter | None, claim: Claim) -> bool:
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
        warn("push_failed", claim.channel_id, failure)
    await _end(runtime, claim, outcomes, failure)
    return failure is None


async def _end(
    runtime: Runtime, claim: Claim, outcomes: list[PushOutcome], failure: ChannelError | None
) -> None:
    now = runtime.clock.now()
    async with runtime.database.transaction() as session:
        again = await publishing.finish(
            session,
            claim.push_id,
            outcomes,
            now=now,
            failure=failure.code if failure else None,
            wait_seconds=_wait_seconds(failure),
        )
        # A sale that came in meanwhile shows now, and not at the next sweep. These listings are
        # locked already, so that nobody else's locks are crossed.
        await listings.look_again(session, again, margins=runtime.margins, now=now)


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


def warn(event: str, channel_id: int, error: ChannelError) -> None:
    """Write down what a channel answered."""
    log.warning(event, channel_id=channel_id, code=error.code, detail=str(error))


def refused(claim: Claim, error: ChannelError) -> list[PushOutcome]:
    """The outcome of numbers of a call that was refused as a whole."""
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
