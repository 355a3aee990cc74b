"""Taking over a running shop: its open orders come first, then what lies on its shelves."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec import Struct
from sqlalchemy import select, text

from inventory.errors import InventoryError, NotFound
from inventory.models import Channel
from workers import pull

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from workers.runtime import Runtime

# Some channels show orders minutes late by their own word; no pull is complete to the last second.
LAG_SECONDS_MAX = 900
PAUSE_SECONDS_MAX = 10.0


class NotPulled(InventoryError):
    """A channel's open orders could not be pulled to the end in time: its stock is not counted."""

    code = "not_pulled"


class OpenOrders(Struct, frozen=True, kw_only=True):
    """What a shop's open orders hold: orders, units reserved, and events that wait for a listing.

    `short_units` are promised beyond what the book has; before the first count that is all.
    """

    orders: int
    units: int
    parked: int
    short_units: int


_OPEN = text("""
SELECT count(DISTINCT o.id) AS orders, coalesce(sum(p.reserved), 0) AS units,
  (SELECT count(*) FROM inbound_event e WHERE e.channel_id = :channel AND e.state = 'parked')
    AS parked,
  (SELECT coalesce(sum(shortage), 0) FROM oversell WHERE state = 'open') AS short_units
FROM sales_order o JOIN order_part p ON p.order_id = o.id
WHERE o.channel_id = :channel AND p.reserved > 0
""")


async def pull_open_orders(
    runtime: Runtime, channel_id: int, *, seconds: float, tell: Callable[[str, int, int], None]
) -> OpenOrders:
    """Pull until every order placed up to now is in, the workers' pulls included.

    Raises `NotPulled` after `seconds`, with the channel's word for it.
    """
    wanted = runtime.clock.now() - timedelta(seconds=LAG_SECONDS_MAX)
    ends = time.monotonic() + seconds
    pulled = 0
    while not await _complete(runtime, channel_id, wanted):
        if time.monotonic() > ends:
            raise NotPulled(await _why(runtime, channel_id, seconds))
        pause = 1.0
        async with runtime.lease(f"pull:{channel_id}") as mine:
            if mine:
                count, pause = await pull.pull_once(runtime, channel_id)
                pulled += count
        tell("orders pulled", pulled, 0)
        if not await _complete(runtime, channel_id, wanted):
            await asyncio.sleep(min(pause, PAUSE_SECONDS_MAX))
    return await open_orders(runtime, channel_id)


async def open_orders(runtime: Runtime, channel_id: int) -> OpenOrders:
    """What a shop's open orders hold now."""
    async with runtime.database.sessions() as session:
        row = (await session.execute(_OPEN, {"channel": channel_id})).one()
    return OpenOrders(
        orders=row.orders,
        units=int(row.units),
        parked=row.parked,
        short_units=int(row.short_units),
    )


async def _complete(runtime: Runtime, channel_id: int, wanted: datetime) -> bool:
    """Whether a pull has ended whose orders are complete. What is parked holds a watermark back."""
    async with runtime.database.sessions() as session:
        row = (
            await session.execute(
                select(Channel.watermark, Channel.failing_since).where(Channel.id == channel_id)
            )
        ).one_or_none()
    if row is None:
        raise NotFound(f"no channel {channel_id}")
    return row.watermark is not None and row.watermark >= wanted


async def _why(runtime: Runtime, channel_id: int, seconds: float) -> str:
    async with runtime.database.sessions() as session:
        failure = await session.scalar(select(Channel.failure).where(Channel.id == channel_id))
    said = failure or "orders are still to be read, or an event that nobody can read is parked"
    return f"open orders are not complete after {seconds:g} s: {said}"
