"""Reading a shop's past orders for its metric, in the background and out of the pulls' way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from channels.base import AuthExpired, ChannelError, Rejected, RetryLater
from channels.purposes import Purpose, asks
from inventory import past_orders
from inventory.facts import FACTS_MAX, PastOrder, Status
from inventory.inbox import HANDLE_MAX
from inventory.models import HistoryReading

if TYPE_CHECKING:
    from inventory.vocabulary import OrderSeen
    from workers.runtime import Runtime

log = structlog.get_logger()

LOOP_SECONDS = 60
# Pulls spend the same budget: between two pages lies four times what the last one took.
PAUSE_TIMES = 4
PAUSE_SECONDS_MAX = 30.0
AUTH_SECONDS = 300
FAILED_SECONDS = 60


async def work(runtime: Runtime, channel_id: int) -> int:
    """Read on for a minute, page by page; how many orders were new."""
    read = 0
    async with runtime.lease(f"history:{channel_id}") as mine:
        ends = asyncio.get_running_loop().time() + LOOP_SECONDS
        while mine and asyncio.get_running_loop().time() < ends:
            count, pause = await page(runtime, channel_id)
            read += count
            if pause is None or pause > PAUSE_SECONDS_MAX:
                break
            await asyncio.sleep(pause)
    return read


@asks(Purpose.BACKGROUND)
async def page(runtime: Runtime, channel_id: int) -> tuple[int, float | None]:
    """Read and book one page: how many orders were new, and the pause wanted, None at the end."""
    async with runtime.database.sessions() as session:
        row = await session.get(HistoryReading, channel_id)
    if row is None or row.state != "reading":
        return 0, None
    clock = asyncio.get_running_loop().time
    began = clock()
    try:
        adapter = await runtime.adapter(channel_id)
        found = await adapter.read_history(row.cursor, since=row.since)
    except ChannelError as error:
        return 0, await _failed(runtime, channel_id, error)
    booked = await book(runtime, channel_id, found.orders)
    pause = min((clock() - began) * PAUSE_TIMES, PAUSE_SECONDS_MAX)
    async with runtime.database.transaction() as session:
        await past_orders.advance(
            session,
            channel_id,
            cursor=found.cursor,
            until=found.until,
            orders=booked,
            due_at=runtime.clock.now() + timedelta(seconds=pause),
        )
    return booked, None if found.cursor is None else pause


async def book(runtime: Runtime, channel_id: int, orders: Sequence[OrderSeen]) -> int:
    """Book what we do not hold: open orders as they are, all others without effect; how many."""
    async with runtime.database.sessions() as session:
        unknown = await past_orders.unknown(session, channel_id, orders)
    live = [past_orders.as_placed(order) for order in unknown if past_orders.is_open(order)]
    ids = await runtime.inbox.receive_orders(channel_id, live)
    for start in range(0, len(ids), HANDLE_MAX):
        await runtime.inbox.handle(ids[start : start + HANDLE_MAX])
    if ids:
        runtime.ring("refresh")
    over = [
        PastOrder(channel_id=channel_id, order=order, listings={})
        for order in unknown
        if not past_orders.is_open(order)
    ]
    for start in range(0, len(over), FACTS_MAX):
        outcomes = await runtime.ledger.apply(over[start : start + FACTS_MAX])
        for fact, outcome in zip(over[start : start + FACTS_MAX], outcomes, strict=True):
            if outcome.status not in {Status.RECORDED, Status.UNCHANGED}:
                order_ref = fact.order.order_ref
                await runtime.inbox.park(
                    channel_id, subject=order_ref, code=outcome.code, detail=outcome.detail
                )
    return len(unknown)


async def _failed(runtime: Runtime, channel_id: int, error: ChannelError) -> float | None:
    """Note that a page could not be read; the pause wanted, None where it never will be."""
    log.warning("history_failed", channel_id=channel_id, code=error.code, detail=str(error))
    pause: float | None = float(FAILED_SECONDS)
    if isinstance(error, RetryLater):
        pause = max(error.seconds, 1.0)
    elif isinstance(error, AuthExpired):
        pause = float(AUTH_SECONDS)
    elif isinstance(error, Rejected):
        pause = None
    due_at = None if pause is None else runtime.clock.now() + timedelta(seconds=pause)
    async with runtime.database.transaction() as session:
        await past_orders.postpone(
            session, channel_id, failure=f"{error.code}: {error}", due_at=due_at
        )
    return pause
