"""Asking a shop about itself: whose keys these are, what ends when, and what it has on sale."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import structlog
from redis.asyncio import Redis

from channels import registry
from channels.base import BadAnswer, ChannelError, RetryLater, Throttled
from channels.keep import Means, MemoryKeep
from inventory import connections, onboarding
from inventory.errors import BadInput
from inventory.reports import channels
from workers.keep import DatabaseKeep

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncSession

    from channels.base import Adapter, Discovered
    from inventory.connections import ConnectionCheck, NewChannel
    from inventory.models import Channel
    from inventory.onboarding import Kept
    from inventory.reports.channels import ChannelRow
    from inventory.vocabulary import Standing
    from workers.runtime import Runtime

log = structlog.get_logger()

# Budgets of a shop that has no number yet.
NO_CHANNEL = 0
TRIES_MAX = 20
WAIT_SECONDS_MAX = 60.0
Tell = Callable[[int, int | None], None]


async def try_credentials(new: NewChannel, redis: Redis, keep: MemoryKeep) -> Standing:
    """What a shop says of itself, before it is connected; tokens it hands out go to `keep`.

    Raises `ChannelError`: the credentials do not work, or nobody can tell now.
    """
    adapter = registry.build(
        new.kind,
        channel_id=NO_CHANNEL,
        base_url=new.base_url,
        settings=new.settings,
        credentials=new.credentials,
        means=Means(redis=redis, keep=keep),
    )
    try:
        await adapter.budgets.fill()
        return await adapter.standing()
    finally:
        await adapter.aclose()


async def connect(
    runtime: Runtime,
    new: NewChannel,
    *,
    check: ConnectionCheck,
    by: str,
    unchecked: bool = False,
) -> tuple[ChannelRow, Kept | None]:
    """Connect a shop whose keys work; what it said of itself, None where it was not asked.

    Whatever can be refused is refused before the keys are tried: some work only once. Raises
    `AlreadyExists`, `BadInput` and what else `connections.connect` does.
    """

    async def stored(session: AsyncSession) -> Channel:
        now = runtime.clock.now()
        return await connections.connect(
            session, new, vault=runtime.vault, check=check, by=by, now=now
        )

    asked = new.kind not in onboarding.WITHOUT_STANDING
    if asked and not new.base_url:
        raise BadInput("base_url is missing: the address of the shop's API")
    async with runtime.database.sessions() as session:
        await onboarding.free(session, new.code)
        await stored(session)
        await session.rollback()
    keep = MemoryKeep()
    standing = await _tried(runtime, new, keep) if asked and not unchecked else None
    kept = None
    async with runtime.database.transaction() as session:
        channel = await stored(session)
        if standing is not None:
            now = runtime.clock.now()
            kept = await onboarding.note_standing(session, channel.id, standing, now=now)
            await session.flush()
        row = await channels.channel(session, channel.id)
    await hand_over(runtime, row.id, keep)
    runtime.ring("sweep")
    return row, kept


async def _tried(runtime: Runtime, new: NewChannel, keep: MemoryKeep) -> Standing:
    """What the shop says of itself. Raises `BadInput`, with what a person may do."""
    try:
        return await try_credentials(new, runtime.redis, keep)
    except ChannelError as error:
        said = f"the shop was not connected: {error.code}: {error}"
        if isinstance(error, BadAnswer):
            said += f"; is {new.base_url} the address of its API?"
        elif isinstance(error, RetryLater):
            said += f"; look at the address {new.base_url}, or try again later"
        used = "; a token that works once may be used up now" if keep.kept() else ""
        raise BadInput(said + used) from None


async def hand_over(runtime: Runtime, channel_id: int, keep: MemoryKeep) -> None:
    """Keep for a channel what its shop handed out when the credentials were tried."""
    lasting = DatabaseKeep(runtime.database, runtime.vault, runtime.clock, channel_id=channel_id)
    for name, text in keep.kept().items():
        await lasting.put(name, text)


async def check(runtime: Runtime, channel_id: int) -> Kept:
    """Ask a connected shop about itself, and keep what it says; that it cannot be asked, too."""
    found: Standing | None = None
    failure: str | None = None
    try:
        adapter = await runtime.adapter(channel_id)
        found = await adapter.standing()
    except ChannelError as error:
        failure = f"{error.code}: {error}"
        log.warning("standing_failed", channel_id=channel_id, code=error.code, detail=str(error))
    async with runtime.database.transaction() as session:
        return await onboarding.note_standing(
            session, channel_id, found, now=runtime.clock.now(), failure=failure
        )


async def work(runtime: Runtime, channel_id: int) -> int:
    """Ask a shop about itself, unless another worker does; how many were asked."""
    async with runtime.lease(f"standing:{channel_id}") as mine:
        if mine:
            await check(runtime, channel_id)
    return int(mine)


async def discover(runtime: Runtime, channel_id: int, tell: Tell) -> int:
    """Read all listings of a shop and keep them; how many there are.

    `tell` hears how many were read so far, of how many if the shop says so. What was known from
    before and is not there any more is forgotten at the end. Raises `ChannelError`.
    """
    adapter = await runtime.adapter(channel_id)
    began = runtime.clock.now()
    cursor: dict[str, Any] | None = {}
    count = 0
    while cursor is not None:
        page = await _page(adapter, cursor)
        # What a page shows was so when it was asked for, never before the discovery began.
        count += await _store(runtime, channel_id, page, began)
        tell(count, page.total)
        cursor = page.cursor
    async with runtime.database.transaction() as session:
        await onboarding.forget_unseen(session, channel_id, began)
    return count


async def _store(runtime: Runtime, channel_id: int, page: Discovered, began: datetime) -> int:
    async with runtime.database.transaction() as session:
        now = max(runtime.clock.now(), began)
        return await onboarding.store_seen(session, channel_id, page.listings, now)


async def _page(adapter: Adapter, cursor: dict[str, Any]) -> Discovered:
    """One page, waiting where the shop or our budget wants it."""
    for _ in range(TRIES_MAX - 1):
        try:
            return await adapter.discover(cursor)
        except RetryLater as error:
            # Our own budget runs out at every shop; a shop that does not answer should be told.
            if not isinstance(error, Throttled):
                log.warning("discovery_waits", code=error.code, detail=str(error))
            await asyncio.sleep(min(max(error.seconds, 0.1), WAIT_SECONDS_MAX))
    return await adapter.discover(cursor)
