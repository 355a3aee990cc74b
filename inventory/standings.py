"""Where each channel stands in its marketplace's metric, counted anew from our own orders."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import Struct
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import penalties
from inventory.models import Cancellation, Channel, PenaltyEntry, SalesOrder
from inventory.penalties import AnyRules, GivenUp, Metric, RateRules
from inventory.reasons import Counts, Rule
from inventory.vocabulary import Kind


class Ended(Struct, frozen=True, kw_only=True):
    """An order that was given up, or is being so; `entered` once it is on record as weighing."""

    id: int
    entered: bool
    given_up: GivenUp


# What an order was worth is the sum of its lines, unknown as soon as one price is.
_ENDED = text("""
SELECT x.id, coalesce(p.weighs, false) AS entered, o.ordered_at,
  coalesce(x.confirmed_at, :now) AS ended_at, cast(worth.yen AS bigint) AS yen
FROM cancellation x
JOIN sales_order o ON o.id = x.order_id
LEFT JOIN penalty_entry p ON p.cancellation_id = x.id
CROSS JOIN LATERAL (
  SELECT CASE WHEN bool_and(l.unit_price IS NOT NULL)
    THEN sum(cast(l.unit_price AS bigint) * l.ordered) END AS yen
  FROM order_line l WHERE l.order_id = o.id AND l.ordered > 0
) worth
WHERE x.channel_id = :channel AND (x.id = :this
  OR x.state IN ('proposed', 'approved', 'submitted')
  OR p.weighs AND greatest(o.ordered_at, x.confirmed_at) >= :start)
""")


async def metric_now(session: AsyncSession, channel: Channel, now: datetime) -> Metric | None:
    """Where the channel stands. None: its marketplace has no metric. Raises `SettingWrong`."""
    rules = penalties.rules_of(Kind(channel.kind), channel.metrics)
    if rules is None:
        return None
    ended = await _ended(session, channel.id, 0, rules, now)
    entered = [each.given_up for each in ended if each.entered]
    [metric] = await _metrics(session, channel, rules, [entered], now)
    return metric


async def foresee(session: AsyncSession, cancellation: Cancellation, now: datetime) -> None:
    """Note on a proposal the metric before and after, on top of all that is under way already."""
    channel = await session.get_one(Channel, cancellation.channel_id)
    rules = penalties.rules_of(Kind(channel.kind), channel.metrics)
    if rules is None:
        return
    ended = await _ended(session, channel.id, cancellation.id, rules, now)
    others = [each.given_up for each in ended if each.id != cancellation.id]
    [this] = [each.given_up for each in ended if each.id == cancellation.id]
    before, after = await _metrics(session, channel, rules, [others, [*others, this]], now)
    cancellation.metric_before = msgspec.to_builtins(before)
    cancellation.metric_after = msgspec.to_builtins(after)


async def enter_penalty(
    session: AsyncSession, cancellation: Cancellation, rule: Rule, *, order_ref: str, now: datetime
) -> PenaltyEntry | None:
    """Put on record what an order that ended did to the metric, unless it surely did nothing.

    Entries of one channel are made one after the other, so that each finds the last one counted.
    """
    await session.flush()
    channel = await session.get_one(
        Channel, cancellation.channel_id, with_for_update={"key_share": True}
    )
    rules = penalties.rules_of(Kind(channel.kind), channel.metrics)
    if rules is None or (rule.counts is Counts.NO and not rule.weighs):
        return None
    ended = await _ended(session, channel.id, cancellation.id, rules, now)
    entered = [each.given_up for each in ended if each.entered]
    this = [each.given_up for each in ended if each.id == cancellation.id and rule.weighs]
    before, after = await _metrics(session, channel, rules, [entered, [*entered, *this]], now)
    entry = PenaltyEntry(
        cancellation_id=cancellation.id,
        channel_id=channel.id,
        order_ref=order_ref,
        reason_code=cancellation.reason_code,
        counts_against_metric=rule.counts.value,
        weighs=rule.weighs,
        metric_before=msgspec.to_builtins(before),
        metric_after=msgspec.to_builtins(after),
        recorded_at=now,
    )
    session.add(entry)
    return entry


async def _ended(
    session: AsyncSession, channel_id: int, this: int, rules: AnyRules, now: datetime
) -> list[Ended]:
    values = {
        "channel": channel_id,
        "this": this,
        "start": penalties.window_start(rules, now),
        "now": now,
    }
    return [
        Ended(
            id=row.id,
            entered=row.entered,
            given_up=GivenUp(ordered_at=row.ordered_at, ended_at=row.ended_at, yen=row.yen),
        )
        for row in await session.execute(_ENDED, values)
    ]


async def _metrics(
    session: AsyncSession,
    channel: Channel,
    rules: AnyRules,
    stages: Sequence[Sequence[GivenUp]],
    now: datetime,
) -> list[Metric]:
    """The metric at each stage; the limit is the one that lay ahead at the first."""
    orders = 0
    if isinstance(rules, RateRules):
        placed = select(func.count()).where(
            SalesOrder.channel_id == channel.id,
            SalesOrder.fulfilled_by_channel.is_(False),
            SalesOrder.ordered_at > penalties.window_start(rules, now),
            SalesOrder.ordered_at <= now,
        )
        orders = await session.scalar(placed) or 0
    # Until the past has been read to its end, nobody knows how many orders lay before us.
    known_from = channel.history_from or channel.connected_at
    standings = [penalties.standing(rules, orders, stage, now=now) for stage in stages]
    return [
        penalties.metric(rules, each, now=now, known_from=known_from, seen_from=standings[0])
        for each in standings
    ]
