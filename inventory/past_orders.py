"""Orders placed before a channel was connected: how far they have been read, and what they become.

Its metric counts them, stock does not move by them. One that is still open is booked like others.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.errors import BadInput
from inventory.models import Channel, HistoryReading, SalesOrder
from inventory.vocabulary import OrderSeen

# How far back orders are read at most: some marketplaces show none that are older than 90 days.
DAYS_MAX = 89
# A reading that reaches back this much less far is as good as one that begins today.
ENOUGH = timedelta(days=1)


class Reading(Struct, frozen=True, kw_only=True):
    """How far a channel's past orders have been read; see `HistoryReading`."""

    since: datetime
    until: datetime | None
    orders: int
    state: str
    failure: str | None


async def ask(session: AsyncSession, channel_id: int, *, days: int, now: datetime) -> Reading:
    """Have a channel's orders of the last `days` read, in the background; how far it has come.

    One that is under way or done and reaches as far back stays as it is. Raises `BadInput` for
    more than 89 days.
    """
    if not 1 <= days <= DAYS_MAX:
        raise BadInput(f"history is read for 1 to {DAYS_MAX} days")
    since = now - timedelta(days=days)
    anew = {"since": since, "cursor": {}, "until": None, "orders": 0, "failure": None}
    anew |= {"state": "reading", "asked_at": now, "due_at": now}
    held = await session.get(HistoryReading, channel_id, with_for_update=True)
    if held is None or held.state == "failed" or held.since > since + ENOUGH:
        await session.execute(
            insert(HistoryReading)
            .values(channel_id=channel_id, **anew)
            .on_conflict_do_update(index_elements=["channel_id"], set_=anew)
        )
    found = await reading(session, channel_id)
    if found is None:
        raise LookupError(channel_id)
    return found


async def reading(session: AsyncSession, channel_id: int) -> Reading | None:
    """How far a channel's past was read, None where nobody asked."""
    row = await session.get(HistoryReading, channel_id, populate_existing=True)
    if row is None:
        return None
    return Reading(
        since=row.since,
        until=row.until,
        orders=row.orders,
        state=row.state,
        failure=row.failure,
    )


async def due(session: AsyncSession, now: datetime) -> list[int]:
    """Channels whose past is to be read on."""
    return list(
        await session.scalars(
            select(HistoryReading.channel_id).where(
                HistoryReading.state == "reading", HistoryReading.due_at <= now
            )
        )
    )


async def unknown(
    session: AsyncSession, channel_id: int, orders: Sequence[OrderSeen]
) -> list[OrderSeen]:
    """Those that we do not hold and that were placed before the channel was connected.

    Later ones are the pull's: it has them, or will have them before its watermark passes.
    """
    connected_at = await session.scalar(
        select(Channel.connected_at).where(Channel.id == channel_id)
    )
    held = set(
        await session.scalars(
            select(SalesOrder.order_ref).where(
                SalesOrder.channel_id == channel_id,
                SalesOrder.order_ref.in_([order.order_ref for order in orders]),
            )
        )
    )
    return [
        order
        for order in orders
        if order.order_ref not in held and connected_at and order.ordered_at < connected_at
    ]


def is_open(order: OrderSeen) -> bool:
    """Whether units of it are still promised, by us, to its buyer."""
    left = any(line.quantity > line.cancelled + line.shipped for line in order.lines)
    return left and not order.cancelled and not order.fulfilled_by_channel


def as_placed(order: OrderSeen) -> OrderSeen:
    """An open order as it is booked: what left before was not on the shelf at any count since."""
    if not any(line.shipped for line in order.lines):
        return order
    return msgspec.structs.replace(order, observed_at=order.ordered_at)


async def advance(
    session: AsyncSession,
    channel_id: int,
    *,
    cursor: dict[str, Any] | None,
    until: datetime,
    orders: int,
    due_at: datetime,
) -> None:
    """Note that a page was read and booked. After the last one the history is complete."""
    row = await session.get_one(HistoryReading, channel_id, with_for_update=True)
    row.until, row.due_at, row.failure = until, due_at, None
    row.orders += orders
    if cursor is not None:
        row.cursor = cursor
        return
    row.state = "done"
    await session.execute(
        update(Channel).where(Channel.id == channel_id).values(history_from=row.since)
    )


async def postpone(
    session: AsyncSession, channel_id: int, *, failure: str, due_at: datetime | None
) -> None:
    """Note that a page could not be read; without `due_at` it never will be."""
    values: dict[str, Any] = {"failure": failure[:500]}
    values |= {"state": "failed"} if due_at is None else {"due_at": due_at}
    await session.execute(
        update(HistoryReading).where(HistoryReading.channel_id == channel_id).values(values)
    )
