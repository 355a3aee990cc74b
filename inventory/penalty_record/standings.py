"""Where each channel stands in its marketplace's metric, counted anew from our own orders."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import msgspec
from msgspec import Struct
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import penalties
from inventory.models import Cancellation, Channel, PenaltyEntry
from inventory.penalties import AnyRules, GivenUp, Metric, Standing
from inventory.penalty_record import counted, entries, own_window
from inventory.reasons import Rule
from inventory.vocabulary import Reason


class Outlook(Struct, frozen=True, kw_only=True):
    """A metric before and after one more order is given up."""

    before: Metric
    after: Metric


async def metric_now(session: AsyncSession, channel: Channel, now: datetime) -> Metric | None:
    """Where the channel stands. None: its marketplace has no metric. Raises `SettingWrong`."""
    rules = counted.rules_of(channel)
    if rules is None:
        return None
    ended = await counted.ended(session, channel.id, rules, now)
    entered = [each.given_up for each in ended if each.entered]
    [metric] = await counted.metrics(session, channel, rules, [entered], now)
    return metric


async def on_record(session: AsyncSession, channel: Channel, now: datetime) -> Standing:
    """What is on record for a channel in the window that ends now; nothing without a metric."""
    rules = counted.rules_of(channel)
    if rules is None:
        return Standing()
    ended = await counted.ended(session, channel.id, rules, now)
    entered = [each.given_up for each in ended if each.entered]
    orders = await counted.placed(session, channel, rules, now)
    return penalties.standing(rules, orders, entered, now=now)


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
    ended = await counted.ended(session, channel.id, rules, now)
    given_up = [each.given_up for each in ended if each.id not in without]
    orders = await counted.placed(session, channel, rules, now)
    return penalties.standing(rules, orders, given_up, now=now)


async def outlook(
    session: AsyncSession, channel: Channel, order_id: int, now: datetime
) -> Outlook | None:
    """What giving an order up now would do, on top of all that is under way. Writes nothing.

    None: the marketplace has no metric. Raises `SettingWrong`.
    """
    rules = counted.rules_of(channel)
    if rules is None:
        return None
    ended = await counted.ended(session, channel.id, rules, now)
    others = [each.given_up for each in ended if each.id is None or each.order_id != order_id]
    this = await counted.given_up_at(session, order_id, now)
    before, after = await counted.metrics(session, channel, rules, [others, [*others, this]], now)
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
    this = await counted.given_up_at(
        session, cancellation.order_id, cancellation.confirmed_at or now
    )
    before, after = await changed_by(session, channel, this, rule, now)
    own = await own_window.change(session, channel, this, rule, now)
    entry = PenaltyEntry(
        cancellation_id=cancellation.id,
        order_id=cancellation.order_id,
        oversell_id=cancellation.oversell_id,
        channel_id=channel.id,
        order_ref=order_ref,
        reason_code=cancellation.reason_code,
        cause=entries.cause_of(cancellation.reason),
        source=rule.source,
        counts_against_metric=rule.counts.value,
        weighs=rule.weighs,
        metric_before=msgspec.to_builtins(before),
        metric_after=msgspec.to_builtins(after),
        own_window=own_window.shown(own),
        thresholds=entries.thresholds_of(counted.rules_of(channel)),
        lines=await entries.lines_of(session, cancellation.order_id),
        worth_yen=this.yen,
        cost=entries.cost_of(cancellation, before, after),
        ended_at=this.ended_at,
        recorded_at=now,
    )
    session.add(entry)
    await entries.record_ends(session, cancellation.order_id)
    return entry


async def changed_by(
    session: AsyncSession, channel: Channel, this: GivenUp, rule: Rule, now: datetime
) -> tuple[Metric | None, Metric | None]:
    """The metric on record before and after this end; None where the channel has none.

    The channel stays locked where it weighs. Raises `SettingWrong`.
    """
    rules = counted.rules_of(channel)
    if rules is None:
        return None, None
    if rule.weighs:
        await session.refresh(channel, with_for_update={"key_share": True})
    ended = await counted.ended(session, channel.id, rules, now)
    entered = [each.given_up for each in ended if each.entered]
    stages = [entered, [*entered, this] if rule.weighs else entered]
    before, after = await counted.metrics(session, channel, rules, stages, now)
    return before, after
