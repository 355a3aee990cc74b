"""Fetching orders: each channel in its own rhythm, stored before the cursor moves (L5)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from channels.base import AuthExpired, ChannelError, RetryLater, Throttled
from channels.purposes import Purpose, asks
from inventory.desk import endings
from inventory.inbox import HANDLE_MAX
from inventory.models import Channel, InboundEvent, OrderLine, SalesOrder

if TYPE_CHECKING:
    from channels.base import Adapter, Pulled
    from workers.runtime import Runtime

log = structlog.get_logger()

LOOP_SECONDS = 20
PAUSE_SECONDS_MAX = 3
BUSY_MINUTES = 10
SEEN_DAYS = 2
FAILED_SECONDS = 5
AUTH_SECONDS = 60


async def work(runtime: Runtime, channel_id: int) -> int:
    """Pull a channel until its next pull is more than some seconds away; orders stored."""
    stored = 0
    async with runtime.lease(f"pull:{channel_id}") as mine:
        if not mine:
            return 0
        ends = asyncio.get_running_loop().time() + LOOP_SECONDS
        while asyncio.get_running_loop().time() < ends:
            count, pause = await pull_once(runtime, channel_id)
            stored += count
            if pause > PAUSE_SECONDS_MAX:
                break
            await asyncio.sleep(pause)
    return stored


@asks(Purpose.PULL)
async def pull_once(runtime: Runtime, channel_id: int) -> tuple[int, float]:
    """One pull: how many snapshots were new, and how many seconds to wait for the next."""
    try:
        adapter = await runtime.adapter(channel_id)
        async with runtime.database.sessions() as session:
            cursor = await session.scalar(select(Channel.cursor).where(Channel.id == channel_id))
            seen = await seen_hints(session, channel_id, runtime.clock.now())
        pulled = await adapter.pull_orders(cursor or {}, seen=seen)
    except ChannelError as error:
        pause = await _failed(runtime, channel_id, error)
        return 0, pause
    stored = await store(runtime, channel_id, pulled, restocks=adapter.capabilities.restocks)
    hurried = await _hurried(adapter)
    pause = hurried if await _is_busy(runtime) else adapter.capabilities.pull_seconds_quiet
    now = runtime.clock.now()
    async with runtime.database.transaction() as session:
        await session.execute(
            update(Channel)
            .where(Channel.id == channel_id)
            .values(
                pull_due_at=now + timedelta(seconds=pause),
                pull_may_at=now + timedelta(seconds=hurried),
                failing_since=None,
                failure=None,
            )
        )
    return stored, pause


async def seen_hints(session: AsyncSession, channel_id: int, now: datetime) -> dict[str, str]:
    """The hints of orders that are not finished, and of all recent ones."""
    unfinished = exists().where(
        OrderLine.order_id == SalesOrder.id,
        OrderLine.ordered > OrderLine.cancelled + OrderLine.shipped,
    )
    rows = await session.execute(
        select(SalesOrder.order_ref, SalesOrder.hint).where(
            SalesOrder.channel_id == channel_id,
            SalesOrder.seen_at.is_not(None),
            or_(
                SalesOrder.ordered_at > now - timedelta(days=SEEN_DAYS),
                SalesOrder.cancelled.is_(False) & unfinished,
            ),
        )
    )
    return {row.order_ref: row.hint for row in rows}


async def store(
    runtime: Runtime, channel_id: int, pulled: Pulled, *, restocks: bool = False
) -> int:
    """Store what was pulled, book it, then move the cursor; the watermark only past what is booked.

    The raise barrier trusts the watermark, so it stays behind any order that is stored and not
    yet in the ledger, also one that nobody can read: a person replays or dismisses it.
    """
    ids = await runtime.inbox.receive_orders(channel_id, pulled.orders)
    for order_ref, problem in pulled.problems:
        await runtime.inbox.park(channel_id, subject=order_ref, code="malformed", detail=problem)
    for start in range(0, len(ids), HANDLE_MAX):
        await runtime.inbox.handle(ids[start : start + HANDLE_MAX])
    if ids and restocks:
        await read_restocked(runtime, channel_id, ids)
    if ids:
        runtime.ring("refresh")
    values: dict[str, Any] = {"cursor": pulled.cursor, "pulled_at": runtime.clock.now()}
    async with runtime.database.transaction() as session:
        waiting = await session.scalar(
            select(func.count()).where(
                InboundEvent.channel_id == channel_id,
                InboundEvent.kind == "order",
                or_(
                    InboundEvent.state == "new",
                    (InboundEvent.state == "parked") & (InboundEvent.code != "unknown_listing"),
                ),
            )
        )
        if not waiting:
            values["watermark"] = func.greatest(Channel.watermark, pulled.watermark)
        await session.execute(update(Channel).where(Channel.id == channel_id).values(values))
    return len(ids)


async def read_restocked(runtime: Runtime, channel_id: int, event_ids: Sequence[int]) -> None:
    """Have read again what the channel put back on sale by itself, as these orders ended.

    Where the worker dies before, the reading in turn finds it.
    """
    async with runtime.database.transaction() as session:
        await endings.read_restocked(session, event_ids, runtime.clock.now())
    runtime.ring("read", channel_id)


async def _is_busy(runtime: Runtime) -> bool:
    """Whether anything was sold lately, on whatever channel."""
    since = runtime.clock.now() - timedelta(minutes=BUSY_MINUTES)
    async with runtime.database.sessions() as session:
        sold = exists().where(SalesOrder.recorded_at > since, SalesOrder.past.is_(False))
        return bool(await session.scalar(select(sold)))


async def _hurried(adapter: Adapter) -> float:
    """Seconds to the next pull when there is need of it: longer as the bucket runs dry."""
    capabilities = adapter.capabilities
    budgets = adapter.budgets
    burst = budgets.burst(capabilities.pull_endpoint)
    if burst == 1:
        return capabilities.pull_seconds
    level = max(await budgets.level(capabilities.pull_endpoint), 1.0)
    return min(capabilities.pull_seconds * burst / level, capabilities.pull_seconds_quiet)


async def _failed(runtime: Runtime, channel_id: int, error: ChannelError) -> float:
    """Note that the channel does not answer; health shows it until a pull succeeds.

    A budget used up is no failure: the channel is pulled as often as it permits.
    """
    pause = float(FAILED_SECONDS)
    if isinstance(error, RetryLater):
        pause = max(error.seconds, 1.0)
    if isinstance(error, AuthExpired):
        pause = AUTH_SECONDS
    now = runtime.clock.now()
    log.warning("pull_failed", channel_id=channel_id, code=error.code, detail=str(error))
    due = now + timedelta(seconds=pause)
    values: dict[str, Any] = {"pull_due_at": due, "pull_may_at": due}
    if not isinstance(error, Throttled):
        values["failing_since"] = func.coalesce(Channel.failing_since, now)
        values["failure"] = f"{error.code}: {error}"[:500]
    async with runtime.database.transaction() as session:
        await session.execute(update(Channel).where(Channel.id == channel_id).values(values))
    return pause
