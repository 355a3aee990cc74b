"""A channel's metric over time, counted anew from its orders for each of many moments."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import penalties
from inventory.models import Channel
from inventory.penalties import AnyRules, GivenUp, Metric, RateRules
from inventory.penalty_record import counted, entries

MOMENTS_MAX = 400
_TICK = timedelta(microseconds=1)

_GIVEN_UP = text(f"""
SELECT p.order_id, o.ordered_at, p.ended_at,
  CASE WHEN p.part > 0 THEN p.worth_yen ELSE {entries.WORTH} END AS yen
FROM penalty_entry p JOIN sales_order o ON o.id = p.order_id
WHERE p.channel_id = :channel AND p.weighs AND greatest(o.ordered_at, p.ended_at) >= :start
  AND p.ended_at <= :until
""")  # noqa: S608 -- constants
# One pass over the orders, however many moments there are: how many lie between two edges.
_PLACED = text("""
SELECT width_bucket(ordered_at, CAST(:edges AS timestamptz[])) AS place, count(*) AS orders
FROM sales_order
WHERE channel_id = :channel AND NOT fulfilled_by_channel
  AND ordered_at >= :first AND ordered_at < :last
GROUP BY 1
""")


async def metrics_at(
    session: AsyncSession, channel: Channel, moments: Sequence[datetime]
) -> list[Metric] | None:
    """The metric as it stood at each of these moments, by all that is known now.

    None: the marketplace has no metric. At most 400 moments. Raises `SettingWrong`.
    """
    rules = counted.rules_of(channel)
    if rules is None:
        return None
    if len(moments) > MOMENTS_MAX:
        raise ValueError(f"at most {MOMENTS_MAX} moments")
    if not moments:
        return []
    given_up = await _given_up(session, channel.id, rules, moments)
    orders = await _orders(session, channel.id, rules, moments)
    known_from = counted.known_from(channel)
    return [
        penalties.metric(
            rules,
            penalties.standing(rules, placed, given_up, now=moment),
            now=moment,
            known_from=known_from,
        )
        for moment, placed in zip(moments, orders, strict=True)
    ]


async def _given_up(
    session: AsyncSession, channel_id: int, rules: AnyRules, moments: Sequence[datetime]
) -> list[GivenUp]:
    start = min(penalties.window_start(rules, moment) for moment in moments)
    values = {"channel": channel_id, "start": start, "until": max(moments)}
    return [
        GivenUp(order=row.order_id, ordered_at=row.ordered_at, ended_at=row.ended_at, yen=row.yen)
        for row in await session.execute(_GIVEN_UP, values)
    ]


async def _orders(
    session: AsyncSession, channel_id: int, rules: AnyRules, moments: Sequence[datetime]
) -> list[int]:
    """How many orders lie in the window that ends at each moment; 0 where none are counted."""
    if not isinstance(rules, RateRules):
        return [0] * len(moments)
    starts = [penalties.window_start(rules, moment) for moment in moments]
    # A window holds what comes after its start, up to its end: each edge lies a tick behind.
    edges = sorted({moment + _TICK for moment in (*moments, *starts)})
    values = {"channel": channel_id, "edges": edges, "first": edges[0], "last": edges[-1]}
    rows = await session.execute(_PLACED, values)
    counted = {row.place: row.orders for row in rows}
    before = [0]
    for place in range(1, len(edges)):
        before.append(before[-1] + counted.get(place, 0))

    def up_to(moment: datetime) -> int:
        return before[bisect_right(edges, moment + _TICK) - 1]

    return [up_to(end) - up_to(start) for start, end in zip(starts, moments, strict=True)]
