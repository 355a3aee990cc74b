"""What our books hold for a channel's metric: ends, orders placed, and what any of them make."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import penalties
from inventory.models import Channel, SalesOrder
from inventory.penalties import AnyRules, GivenUp, Metric, RateRules
from inventory.penalty_record import entries
from inventory.vocabulary import Kind


class Ended(Struct, frozen=True, kw_only=True):
    """An order that was given up, or is being so; `entered` once it is on record as weighing.

    `id` is its cancellation, None for a part that has ended.
    """

    id: int | None
    order_id: int
    entered: bool
    given_up: GivenUp


_ENDED = text(f"""
SELECT x.id, x.order_id, coalesce(p.weighs, false) AS entered, o.ordered_at,
  coalesce(x.confirmed_at, :now) AS ended_at, {entries.WORTH} AS yen
FROM cancellation x
JOIN sales_order o ON o.id = x.order_id
LEFT JOIN penalty_entry p ON p.cancellation_id = x.id
WHERE x.channel_id = :channel AND (
  x.state IN ('proposed', 'approved', 'submitted') AND x.reason <> 'buyer_request'
  OR p.weighs AND greatest(o.ordered_at, x.confirmed_at) >= :start)
UNION ALL
SELECT NULL, p.order_id, true, o.ordered_at, p.ended_at, p.worth_yen
FROM penalty_entry p JOIN sales_order o ON o.id = p.order_id
WHERE p.channel_id = :channel AND p.part > 0 AND p.weighs
  AND greatest(o.ordered_at, p.ended_at) >= :start
""")  # noqa: S608 -- constants


def rules_of(channel: Channel) -> AnyRules | None:
    """The rules of a channel's metric; None where it has none. Raises `SettingWrong`."""
    return penalties.rules_of(Kind(channel.kind), channel.metrics)


def known_from(channel: Channel) -> datetime:
    """From when on we hold all its orders, as far as its rules do not say otherwise.

    Until the past has been read to its end, nobody knows how many orders lay before us.
    """
    return channel.history_from or channel.connected_at


_WORTH = text(
    f"SELECT o.ordered_at, {entries.WORTH} AS yen"  # noqa: S608 -- a constant
    " FROM sales_order o WHERE o.id = :order"
)


async def given_up_at(session: AsyncSession, order_id: int, ended_at: datetime) -> GivenUp:
    """The order as one given up at that moment; its worth is unknown as soon as one price is."""
    row = (await session.execute(_WORTH, {"order": order_id})).one()
    return GivenUp(order=order_id, ordered_at=row.ordered_at, ended_at=ended_at, yen=row.yen)


async def ended(
    session: AsyncSession, channel_id: int, rules: AnyRules, now: datetime
) -> list[Ended]:
    """What is given up for the window that ends now, or later: on record, or under way."""
    values = {"channel": channel_id, "start": penalties.window_start(rules, now), "now": now}
    return [
        Ended(
            id=row.id,
            order_id=row.order_id,
            entered=row.entered,
            given_up=GivenUp(
                order=row.order_id, ordered_at=row.ordered_at, ended_at=row.ended_at, yen=row.yen
            ),
        )
        for row in await session.execute(_ENDED, values)
    ]


async def metrics(
    session: AsyncSession,
    channel: Channel,
    rules: AnyRules,
    stages: Sequence[Sequence[GivenUp]],
    now: datetime,
    *,
    known_at: datetime | None = None,
) -> list[Metric]:
    """The metric at each stage; the limit is the one that lay ahead at the first.

    The window ends `now`; what is `known_at` a later moment is counted with it.
    """
    orders = await placed(session, channel, rules, now)
    standings = [
        penalties.standing(rules, orders, stage, now=now, known_at=known_at) for stage in stages
    ]
    return [
        penalties.metric(
            rules, each, now=now, known_from=known_from(channel), seen_from=standings[0]
        )
        for each in standings
    ]


async def placed(session: AsyncSession, channel: Channel, rules: AnyRules, now: datetime) -> int:
    """Orders in the window of a rate, which the shop ships itself; 0 for other metrics."""
    if not isinstance(rules, RateRules):
        return 0
    orders = select(func.count()).where(
        SalesOrder.channel_id == channel.id,
        SalesOrder.fulfilled_by_channel.is_(False),
        SalesOrder.ordered_at > penalties.window_start(rules, now),
        SalesOrder.ordered_at <= now,
    )
    return await session.scalar(orders) or 0
