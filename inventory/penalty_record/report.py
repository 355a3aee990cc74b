"""The penalty record as a report: the metric day by day, what ended and why, what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from msgspec import Struct
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.clock import JST, tokyo_midnight
from inventory.errors import BadInput, NotFound
from inventory.models import Channel
from inventory.penalties import Metric
from inventory.penalty_record import costs as penalty_costs
from inventory.penalty_record import own_window, series, standings, words
from inventory.penalty_record.costs import Cost
from inventory.vocabulary import Kind

CHANNELS_MAX = 100
CAUSES_MAX = 200
_TICK = timedelta(microseconds=1)


class Period(StrEnum):
    """How many Tokyo days a report covers: 7, or 30."""

    WEEK = "week"
    MONTH = "month"


DAYS = {Period.WEEK: 7, Period.MONTH: 30}


class Day(Struct, frozen=True, kw_only=True):
    """One Tokyo day of a channel, and the metric at its end (of today: now).

    `orders` were placed in it; `ended` ended in it unshipped, as a whole or in part, and `counted`
    of those weigh. An order of which parts ended is one.
    """

    day: date
    orders: int
    ended: int
    counted: int
    metric: Metric | None


class ChannelPenalties(Struct, frozen=True, kw_only=True):
    """One channel over the period. `headroom` says in words how much room is left now.

    `under_way` are orders being given up that are not on record yet. `now` is null where the
    marketplace has no metric. `notes` tell of ends in the period that lie outside of the window of
    their day, what they did to their own: at most 20.
    """

    channel: str
    kind: str
    now: Metric | None
    headroom: str
    under_way: int
    days: tuple[Day, ...]
    cost: Cost
    notes: tuple[str, ...] = ()


class CauseRow(Struct, frozen=True, kw_only=True):
    """Orders that ended unshipped, by SKU and cause. `sku` null: from before our time there.

    `parts` are ends of a part of an order; each order is one in `orders`, however many it had.
    """

    channel: str
    sku: str | None
    cause: str
    orders: int
    parts: int
    units: int
    counted: int


class PenaltyReport(Struct, frozen=True, kw_only=True):
    """The record of a period. `since` to `until` in UTC are its Tokyo days, cut off at `as_of`."""

    period: Period
    first_day: date
    last_day: date
    since: datetime
    until: datetime
    as_of: datetime
    channels: tuple[ChannelPenalties, ...]
    channels_left_out: int
    causes: tuple[CauseRow, ...]
    causes_left_out: int


class Span(Struct, frozen=True, kw_only=True):
    """The Tokyo days of a report; `moments` are their ends, the last one at most now."""

    days: tuple[date, ...]
    since: datetime
    until: datetime
    moments: tuple[datetime, ...]


def span_of(period: Period, last_day: date | None, now: datetime) -> Span:
    """The days that end with `last_day` (None: today, Asia/Tokyo). Raises `BadInput` after today.

    A day's moment lies just before midnight, so that the last of a year belongs to that year.
    """
    today = now.astimezone(JST).date()
    last = last_day or today
    if last > today:
        raise BadInput(f"{last} is not over yet in Tokyo: a report ends today at the latest")
    if last.year < _YEAR_MIN:
        raise BadInput(f"there is no record of {last}")
    days = tuple(last - timedelta(days=back) for back in reversed(range(DAYS[period])))
    ends = [_midnight(day + timedelta(days=1)) for day in days]
    return Span(
        days=days,
        since=_midnight(days[0]),
        until=min(ends[-1], now + _TICK),
        moments=tuple(min(end - _TICK, now) for end in ends),
    )


_YEAR_MIN = 2000


def _midnight(day: date) -> datetime:
    return tokyo_midnight(datetime(day.year, day.month, day.day, tzinfo=JST))


async def report(
    session: AsyncSession,
    *,
    period: Period,
    now: datetime,
    last_day: date | None = None,
    channel: str | None = None,
) -> PenaltyReport:
    """The penalty record of the period. At most 100 channels and 200 rows of causes.

    Raises `NotFound` for an unknown channel, `BadInput` for a day to come, `SettingWrong`.
    """
    span = span_of(period, last_day, now)
    shops, left_out = await _channels(session, channel)
    ids = [shop.id for shop in shops]
    placed = await _by_day(session, _PLACED, ids, span)
    ended = await _by_day(session, _ENDED, ids, span)
    costs = await penalty_costs.costs(session, ids, since=span.since, until=span.until)
    causes = await _causes(session, ids, span)
    return PenaltyReport(
        period=period,
        first_day=span.days[0],
        last_day=span.days[-1],
        since=span.since,
        until=span.until,
        as_of=now,
        channels=tuple(
            [
                await _channel(session, shop, span, placed, ended, costs[shop.id], now)
                for shop in shops
            ]
        ),
        channels_left_out=left_out,
        causes=tuple(causes[:CAUSES_MAX]),
        causes_left_out=max(len(causes) - CAUSES_MAX, 0),
    )


async def _channels(session: AsyncSession, code: str | None) -> tuple[list[Channel], int]:
    shops = select(Channel).where(Channel.kind != Kind.HOUSE.value).order_by(Channel.id)
    if code is not None:
        found = await session.scalar(shops.where(Channel.code == code))
        if found is None:
            raise NotFound(f"no channel {code}")
        return [found], 0
    every = await session.scalar(select(func.count()).where(Channel.kind != Kind.HOUSE.value))
    rows = list(await session.scalars(shops.limit(CHANNELS_MAX)))
    return rows, max((every or 0) - len(rows), 0)


Counts = Mapping[tuple[int, date], Any]

_PLACED = text("""
SELECT channel_id, cast(ordered_at AT TIME ZONE 'Asia/Tokyo' AS date) AS day, count(*) AS orders
FROM sales_order WHERE channel_id = ANY(:ids) AND NOT fulfilled_by_channel
  AND ordered_at >= :since AND ordered_at < :until GROUP BY 1, 2
""")
_ENDED = text("""
SELECT channel_id, cast(ended_at AT TIME ZONE 'Asia/Tokyo' AS date) AS day,
  count(DISTINCT order_id) AS ended, count(DISTINCT order_id) FILTER (WHERE weighs) AS counted
FROM penalty_entry WHERE channel_id = ANY(:ids) AND ended_at >= :since AND ended_at < :until
GROUP BY 1, 2
""")
_CAUSES = text("""
SELECT c.code AS channel, line ->> 'sku' AS sku, p.cause,
  count(DISTINCT p.order_id) AS orders, count(DISTINCT p.id) FILTER (WHERE p.part > 0) AS parts,
  coalesce(sum(coalesce(cast(line ->> 'units' AS int),
    greatest(cast(line ->> 'ordered' AS int) - cast(line ->> 'shipped' AS int), 0))), 0) AS units,
  count(DISTINCT p.order_id) FILTER (WHERE p.weighs) AS counted
FROM penalty_entry p JOIN channel c ON c.id = p.channel_id
LEFT JOIN LATERAL jsonb_array_elements(p.lines) AS line ON true
WHERE p.channel_id = ANY(:ids) AND p.ended_at >= :since AND p.ended_at < :until
GROUP BY c.id, 2, p.cause ORDER BY counted DESC, units DESC, c.id, sku NULLS LAST, p.cause
""")


async def _by_day(session: AsyncSession, query: Any, ids: Sequence[int], span: Span) -> Counts:
    rows = await session.execute(query, {"ids": ids, "since": span.since, "until": span.until})
    return {(row.channel_id, row.day): row for row in rows}


async def _causes(session: AsyncSession, ids: Sequence[int], span: Span) -> list[CauseRow]:
    rows = await session.execute(_CAUSES, {"ids": ids, "since": span.since, "until": span.until})
    return [CauseRow(**row) for row in rows.mappings()]


async def _channel(
    session: AsyncSession,
    shop: Channel,
    span: Span,
    placed: Counts,
    ended: Counts,
    cost: Cost,
    now: datetime,
) -> ChannelPenalties:
    metrics = await series.metrics_at(session, shop, (*span.moments, now))
    under_way = await standings.live_count(session, shop.id)
    current = metrics[-1] if metrics else None
    days = []
    for number, day in enumerate(span.days):
        orders, ends = placed.get((shop.id, day)), ended.get((shop.id, day))
        days.append(
            Day(
                day=day,
                orders=orders.orders if orders else 0,
                ended=ends.ended if ends else 0,
                counted=ends.counted if ends else 0,
                metric=metrics[number] if metrics else None,
            )
        )
    return ChannelPenalties(
        channel=shop.code,
        kind=shop.kind,
        now=current,
        headroom=words.headroom(current, under_way=under_way),
        under_way=under_way,
        days=tuple(days),
        cost=cost,
        notes=tuple(await own_window.notes(session, shop.id, since=span.since, until=span.until)),
    )
