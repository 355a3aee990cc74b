"""The penalty entry of a part of an order that has ended while the rest lives on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.desk import costs
from inventory.desk.costs import Offer, Shop
from inventory.desk.prices import prices_of
from inventory.models import Channel, PenaltyEntry, SalesOrder
from inventory.penalties import GivenUp, Metric
from inventory.penalty_record import counted, entries, own_window, standings
from inventory.reasons import Asker, Rule
from inventory.vocabulary import Kind

CODE_CHARACTERS_MAX = 200


class PartEnd(Struct, frozen=True, kw_only=True):
    """Units of some lines that have ended: `units` of each line, beside the line as it is now.

    `oversell_id` is the case of the shortage for which they ended.
    """

    lines: Sequence[Mapping[str, Any]]
    asker: Asker
    rule: Rule
    ended_at: datetime
    oversell_id: int | None = None


def said_too(rule: Rule, more: str) -> Rule:
    """The same rule, whose source says one thing more."""
    return msgspec.structs.replace(rule, source=f"{rule.source}{more}")


async def enter(
    session: AsyncSession, order: SalesOrder, part: PartEnd, now: datetime
) -> PenaltyEntry:
    """Put a part's end on record. The order must be locked. Raises `SettingWrong`."""
    channel = await session.get_one(Channel, order.channel_id)
    this = GivenUp(
        order=order.id, ordered_at=order.ordered_at, ended_at=part.ended_at, yen=_worth(part)
    )
    before, after = await standings.changed_by(session, channel, this, part.rule, now)
    own = await own_window.change(session, channel, this, part.rule, now)
    number = await session.scalar(
        select(func.coalesce(func.max(PenaltyEntry.part), 0) + 1).where(
            PenaltyEntry.order_id == order.id
        )
    )
    entry = PenaltyEntry(
        order_id=order.id,
        part=number,
        oversell_id=part.oversell_id,
        channel_id=channel.id,
        order_ref=order.order_ref,
        reason_code=(order.cancel_reason or "")[:CODE_CHARACTERS_MAX],
        cause=part.asker.value,
        source=part.rule.source,
        counts_against_metric=part.rule.counts.value,
        weighs=part.rule.weighs,
        metric_before=msgspec.to_builtins(before),
        metric_after=msgspec.to_builtins(after),
        own_window=own_window.shown(own),
        thresholds=entries.thresholds_of(counted.rules_of(channel)),
        lines=[dict(line) for line in part.lines],
        worth_yen=this.yen,
        cost=await _cost(session, channel, order, part, (before, after), now),
        ended_at=part.ended_at,
        recorded_at=now,
    )
    session.add(entry)
    await session.flush()
    await entries.record_ends(session, order.id)
    return entry


def _worth(part: PartEnd) -> int | None:
    """Yen of the units that ended; None as soon as one price is unknown."""
    if any(line["unit_price"] is None for line in part.lines):
        return None
    return sum(int(line["unit_price"]) * int(line["units"]) for line in part.lines)


async def _cost(
    session: AsyncSession,
    channel: Channel,
    order: SalesOrder,
    part: PartEnd,
    metrics: tuple[Metric | None, Metric | None],
    now: datetime,
) -> dict[str, Any] | None:
    """Whole yen, part by part: by the desk's own model for want of stock, else only a card fee."""
    before, after = metrics
    if part.asker is not Asker.SHOP_OUT_OF_STOCK:
        return entries.fee_between(before, after)
    rules = counted.rules_of(channel)
    # The entry itself is not made yet, so that it is not counted twice.
    standing = await standings.on_record(session, channel, now)
    shop = Shop(
        channel_id=channel.id,
        code=channel.code,
        kind=Kind(channel.kind),
        rules=rules,
        prices=prices_of(Kind(channel.kind), channel.costs),
        standing=standing,
        known_from=counted.known_from(channel),
    )
    known = [line for line in part.lines if line["unit_price"] is not None]
    offer = Offer(
        order_id=order.id,
        channel_id=channel.id,
        order_ref=order.order_ref,
        ordered_at=order.ordered_at or now,
        units=sum(int(line["units"]) for line in part.lines),
        value_yen=sum(int(line["unit_price"]) * int(line["units"]) for line in known),
        unpriced=sum(int(line["units"]) for line in part.lines if line["unit_price"] is None),
        weighs=part.rule.weighs and before != after,
        ship_by=order.ship_by,
    )
    [cost] = costs.price([offer], {channel.id: shop}, now).orders
    return {**msgspec.to_builtins(cost), entries.TOTAL: cost.total_yen}
