"""Reading the orders that channels have named by themselves, soon after they were named."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import structlog

from channels.base import ChannelError
from inventory import notices
from workers.pull import read_restocked

if TYPE_CHECKING:
    from channels.base import Adapter
    from workers.runtime import Runtime

log = structlog.get_logger()

AT_ONCE = 8
NOTICES_READ_MAX = 200
# A worker's task may last 120 s: nothing new is begun later than this.
BEGIN_SECONDS_MAX = 45


async def work(runtime: Runtime) -> int:
    """Read every order that was named and not read since; how many orders were read."""
    async with runtime.database.sessions() as session:
        channel_ids = await notices.waiting_channels(session)
    ends = asyncio.get_running_loop().time() + BEGIN_SECONDS_MAX
    async with asyncio.TaskGroup() as group:
        served = [group.create_task(_serve(runtime, each, ends)) for each in channel_ids]
    done = sum(task.result() for task in served)
    if done:
        runtime.ring("refresh")
    return done


async def _serve(runtime: Runtime, channel_id: int, ends: float) -> int:
    """One channel's named orders, until there are none or the channel wants to be left alone."""
    done = 0
    async with runtime.lease(f"notices:{channel_id}") as mine:
        while mine and asyncio.get_running_loop().time() < ends:
            async with runtime.database.sessions() as session:
                named = await notices.waiting(session, channel_id, most=NOTICES_READ_MAX)
            if not named:
                break
            some = list(named.items())[:AT_ONCE]
            read = await asyncio.gather(*(_read(runtime, channel_id, *each) for each in some))
            done += sum(read)
            if not all(read):
                break
    return done


async def _read(runtime: Runtime, channel_id: int, order_ref: str, ids: Sequence[int]) -> bool:
    """Read one order and book it; False when the channel could not be asked."""
    try:
        adapter: Adapter = await runtime.adapter(channel_id)
        order = await adapter.read_order(order_ref)
    except ChannelError as error:
        log.warning("notice_unserved", channel_id=channel_id, code=error.code, detail=str(error))
        async with runtime.database.transaction() as session:
            await notices.unserved(session, ids, f"{error.code}: {error}", runtime.clock.now())
        return False
    if order is not None:
        stored = await runtime.inbox.receive_orders(channel_id, [order])
        await runtime.inbox.handle(stored)
        if adapter.capabilities.restocks:
            await read_restocked(runtime, channel_id, stored)
    async with runtime.database.transaction() as session:
        found = order is not None
        await notices.served(session, ids, found=found, now=runtime.clock.now())
    return True
