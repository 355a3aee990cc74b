"""Where each channel stands in its marketplace's metric, counted anew from our own orders."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import penalties
from inventory.models import Cancellation, Channel, PenaltyEntry, SalesOrder
from inventory.penalties import AnyRules, GivenUp, Metric, RateRules, Standing
from inventory.penalty_record import entries
from inventory.reasons import Rule
from inventory.vocabulary import Kind, Reason


class Ended(Struct, frozen=True, kw_only=True):
    """An order that was given up, or is being so; `entered` once it is on record as weighing."""

    id: int
    order_id: int
    entered: bool
    given_up: GivenUp


class Outlook(Struct, frozen=True, kw_only=True):
    """A metric before and after one more order is given up."""

    before: Metric
    after: Metric


_ENDED = text("""
SELECT x.id, x.order_id, coalesce(p.weighs, false) AS entered, o.ordered_at,
  coalesce(x.confirmed_at, :now) AS ended_at, cast(worth.yen AS bigint) AS yen
FROM cancellation x
JOIN sales_order o ON o.id = x.order_id
LEFT JOIN penalty_entry p ON p.cancellation_id = x.id
CROSS JOIN LATERAL (
  SELECT CASE WHEN bool_and(l.unit_price IS NOT NULL)
    THEN sum(cast(l.unit_price AS bigint) * l.ordered) END AS yen
  FROM order_line l WHERE l.order_id = o.id AND l.ordered > 0
) worth
WHERE x.channel_id = :channel AND (
  x.state IN ('proposed', 'approved', 'submitted') AND x.reason <> 'buyer_request'
  OR p.weighs AND greatest(o.ordered_at, x.confirmed_at) >= :start)
""")


def rules_of(channel: Channel) -> AnyRules | None:
    """The rules of a channel's metric; None where it has none. Raises `SettingWrong`."""
    return penalties.rules_of(Kind(channel.kind), channel.metrics)


def known_from(channel: Channel) -> datetime:
    """From when on we hold all its orders, as far as its rules do not say otherwise.

    Until the past has been read to its end, nobody knows how many orders lay before us.
    """
    return channel.history_from or channel.connected_at


async def metric_now(session: AsyncSession, channel: Channel, now: datetime) -> Metric | None:
    """Where the channel stands. None: its marketplace has no metric. Raises `SettingWrong`."""
    rules = rules_of(channel)
    if rules is None:
        return None
    ended = await _ended(session, channel.id, rules, now)
    entered = [each.given_up for each in ended if each.entered]
    [metric] = await _metrics(session, channel, rules, [entered], now)
    return metric


async def live_count(session: AsyncSession, channel_id: int) -> int:
    """How many orders of a channel the shop is giving up that are not on record yet."""
    live = select(func.count()).where(
        Cancellation.channel_id == channel_id,
        Cancellation.state.in_(("proposed", "approved", "submitted")),
        Cancellation.reason != Reason.BUYER_REQUEST.value,
    )
    return await session.scalar(live) or 0


async def under_way(
    session: AsyncSession,
    channel: Channel,
    rules: AnyRules,
    now: datetime,
    *,
    without: Collection[int] = (),
) -> Standing:
    """What is counted for a channel with all that is under way, but for these cancellations."""
    ended = await _ended(session, channel.id, rules, now)
    given_up = [each.given_up for each in ended if each.id not in without]
    orders = await _placed(session, channel, rules, now)
    return penalties.standing(rules, orders, given_up, now=now)


async def outlook(
    session: AsyncSession, channel: Channel, order_id: int, now: datetime
) -> Outlook | None:
    """What giving an order up now would do, on top of all that is under way. Writes nothing.

    None: the marketplace has no metric. Raises `SettingWrong`.
    """
    rules = rules_of(channel)
    if rules is None:
        return None
    ended = await _ended(session, channel.id, rules, now)
    others = [each.given_up for each in ended if each.order_id != order_id]
    this = await _given_up(session, order_id, now)
    before, after = await _metrics(session, channel, rules, [others, [*others, this]], now)
    return Outlook(before=before, after=after)


async def foresee(session: AsyncSession, cancellation: Cancellation, now: datetime) -> None:
    """Note on a proposal the metric before and after, on top of all that is under way already."""
    channel = await session.get_one(Channel, cancellation.channel_id)
    found = await outlook(session, channel, cancellation.order_id, now)
    if found is not None:
        cancellation.metric_before = msgspec.to_builtins(found.before)
        cancellation.metric_after = msgspec.to_builtins(found.after)


async def enter_penalty(
    session: AsyncSession, cancellation: Cancellation, rule: Rule, *, order_ref: str, now: datetime
) -> PenaltyEntry:
    """Put on record what an order that ended did to the metric, also where it did nothing.

    Entries of one channel that weigh are made one after the other, so that each finds the last one
    counted.
    """
    await session.flush()
    channel = await session.get_one(Channel, cancellation.channel_id)
    rules = rules_of(channel)
    if rules is not None and rule.weighs:
        await session.refresh(channel, with_for_update={"key_share": True})
    this = await _given_up(session, cancellation.order_id, cancellation.confirmed_at or now)
    before = after = None
    if rules is not None:
        ended = await _ended(session, channel.id, rules, now)
        entered = [each.given_up for each in ended if each.entered]
        stages = [entered, [*entered, this] if rule.weighs else entered]
        before, after = await _metrics(session, channel, rules, stages, now)
    entry = PenaltyEntry(
        cancellation_id=cancellation.id,
        channel_id=channel.id,
        order_ref=order_ref,
        reason_code=cancellation.reason_code,
        cause=entries.cause_of(cancellation.reason),
        source=rule.source,
        counts_against_metric=rule.counts.value,
        weighs=rule.weighs,
        metric_before=msgspec.to_builtins(before),
        metric_after=msgspec.to_builtins(after),
        thresholds=entries.thresholds_of(rules),
        lines=await entries.lines_of(session, cancellation.order_id),
        worth_yen=this.yen,
        cost=entries.cost_of(cancellation, before, after),
        ended_at=this.ended_at,
        recorded_at=now,
    )
    session.add(entry)
    return entry


_WORTH = text("""
SELECT o.ordered_at, (SELECT CASE WHEN bool_and(l.unit_price IS NOT NULL)
    THEN cast(sum(cast(l.unit_price AS bigint) * l.ordered) AS bigint) END
  FROM order_line l WHERE l.order_id = o.id AND l.ordered > 0) AS yen
FROM sales_order o WHERE o.id = :order
""")


async def _given_up(session: AsyncSession, order_id: int, ended_at: datetime) -> GivenUp:
    """The order as one given up at that moment; its worth is unknown as soon as one price is."""
    row = (await session.execute(_WORTH, {"order": order_id})).one()
    return GivenUp(ordered_at=row.ordered_at, ended_at=ended_at, yen=row.yen)


async def _ended(
    session: AsyncSession, channel_id: int, rules: AnyRules, now: datetime
) -> list[Ended]:
    values = {"channel": channel_id, "start": penalties.window_start(rules, now), "now": now}
    return [
        Ended(
            id=row.id,
            order_id=row.order_id,
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
    orders = await _placed(session, channel, rules, now)
    standings = [penalties.standing(rules, orders, stage, now=now) for stage in stages]
    return [
        penalties.metric(
            rules, each, now=now, known_from=known_from(channel), seen_from=standings[0]
        )
        for each in standings
    ]


async def _placed(session: AsyncSession, channel: Channel, rules: AnyRules, now: datetime) -> int:
    """Orders in the window of a rate, which the shop ships itself; 0 for other metrics."""
    if not isinstance(rules, RateRules):
        return 0
    placed = select(func.count()).where(
        SalesOrder.channel_id == channel.id,
        SalesOrder.fulfilled_by_channel.is_(False),
        SalesOrder.ordered_at > penalties.window_start(rules, now),
        SalesOrder.ordered_at <= now,
    )
    return await session.scalar(placed) or 0
