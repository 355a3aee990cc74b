"""The rolling numbers of the record equal a plain recount over the orders, whatever happened."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.db import Database
from inventory.desk import endings, part_endings
from inventory.models import Channel, OrderLine, SalesOrder
from inventory.penalty_record import report, series, standings
from inventory.penalty_record.report import Period
from inventory.vocabulary import Kind
from tests.factories import ChannelFactory

NOW = datetime(2026, 3, 2, 14, 59, tzinfo=UTC)
# Some moments in which a window, a Tokyo day, a month or Rakuten's year begins or ends.
EDGES = [
    NOW,
    NOW - timedelta(days=7),
    NOW - timedelta(days=30),
    datetime(2026, 2, 28, 15, tzinfo=UTC),
    datetime(2026, 2, 24, 15, tzinfo=UTC),
    datetime(2025, 12, 31, 15, tzinfo=UTC),
]
# Who ended it, and the kinds whose metric is computed with it; see `inventory/reasons.py`.
ENDS: dict[str, set[Kind]] = {
    "seller": {Kind.AMAZON, Kind.RAKUTEN, Kind.YAHOO, Kind.SHOPIFY},
    "buyer": {Kind.SHOPIFY},
    "marketplace": set(),
}
STEPS = (35, 55, 75, 80, 100)


UNITS = 3


class Drawn(Struct, frozen=True, kw_only=True):
    """One order of three units: when placed, by whom ended and when, a unit worth how much.

    Of `parts` each is one unit that ended before, and by whom.
    """

    placed: datetime
    ended: datetime | None
    by: str
    yen: int | None
    by_channel: bool
    parts: list[tuple[datetime, str]] = []

    @property
    def ends(self) -> list[tuple[datetime, str, int | None]]:
        """When, by whom, and worth how much."""
        found = [(at, by, self.yen) for at, by in self.parts]
        rest = None if self.yen is None else self.yen * (UNITS - len(self.parts))
        return found if self.ended is None else [*found, (self.ended, self.by, rest)]

    def weighing(self, kind: Kind) -> list[tuple[datetime, int | None]]:
        if self.by_channel:
            return []
        return [(at, yen) for at, by, yen in self.ends if kind in ENDS[by]]


MOMENTS = st.sampled_from(EDGES) | st.integers(0, 90 * 24 * 60).map(
    lambda minutes: NOW - timedelta(minutes=minutes)
)
NUDGES = st.sampled_from([timedelta(0), timedelta(microseconds=1), -timedelta(microseconds=1)])


@st.composite
def drawn_orders(draw: st.DrawFn) -> Drawn:
    placed = min(draw(MOMENTS) + draw(NUDGES), NOW)
    ended = None
    if draw(st.booleans()):
        ended = min(max(draw(MOMENTS) + draw(NUDGES), placed), NOW)
    heard = st.tuples(MOMENTS, st.sampled_from(sorted(ENDS)))
    parts = [
        (min(max(at, placed), ended or NOW), by)
        for at, by in sorted(draw(st.lists(heard, max_size=UNITS - 1)))
    ]
    return Drawn(
        parts=parts,
        placed=placed,
        ended=ended,
        by=draw(st.sampled_from(sorted(ENDS))),
        yen=draw(st.none() | st.integers(0, 90_000)),
        by_channel=draw(st.sampled_from([False, False, False, True])),
    )


async def kept(database: Database, kind: Kind, metrics: Any, history: list[Drawn]) -> int:
    """A shop with this history; every end is classified and put on record as the desk does it."""
    async with database.transaction() as session:
        channel = ChannelFactory.build(
            code=uuid4().hex, kind=kind.value, metrics=metrics, connected_at=EDGES[-1]
        )
        session.add(channel)
        await session.flush()
        rows = [
            SalesOrder(
                channel_id=channel.id,
                order_ref=f"o-{number}",
                ordered_at=each.placed,
                recorded_at=each.placed,
                fulfilled_by_channel=each.by_channel,
            )
            for number, each in enumerate(history)
        ]
        session.add_all(rows)
        await session.flush()
        session.add_all(
            OrderLine(
                order_id=row.id,
                line_ref="1",
                ordered=UNITS,
                cancelled=0,
                shipped=0,
                lowered=0,
                unit_price=each.yen,
            )
            for row, each in zip(rows, history, strict=True)
        )
        await session.flush()
        for row, each in zip(rows, history, strict=True):
            await ended(session, row, each)
        return int(channel.id)


async def ended(session: AsyncSession, order: SalesOrder, drawn: Drawn) -> None:
    """The desk finds each part, and the end, when it has come."""
    line = await session.get_one(OrderLine, (order.id, "1"))
    for at, by in drawn.parts:
        line.cancelled, line.ended_at, order.cancelled_by = line.cancelled + 1, at, by
        await session.flush()
        assert await part_endings.observe(session, order.id, NOW)
        assert not await part_endings.observe(session, order.id, NOW)
        await session.refresh(line)
    if drawn.ended is not None:
        order.cancelled, order.cancelled_at, order.cancelled_by = True, drawn.ended, drawn.by
        line.cancelled = UNITS
        await session.flush()
        assert await endings.observe(session, order.id, NOW)


def recount(kind: Kind, by: str, history: list[Drawn], moment: datetime) -> float | None:
    """The metric by counting through a list, in the marketplace's own words."""
    gone = [
        (o, [(at, yen) for at, yen in o.weighing(kind) if at <= moment])
        for o in history
        if not o.by_channel
    ]
    tokyo = moment + timedelta(hours=9)
    if kind is Kind.RAKUTEN:
        year = datetime(tokyo.year, 1, 1, tzinfo=UTC) - timedelta(hours=9)
        return 15 * sum(any(at >= year for at, _ in ends) for _, ends in gone)
    if kind is Kind.SHOPIFY:
        month = datetime(tokyo.year, tokyo.month, 1, tzinfo=UTC) - timedelta(hours=9)
        lost = [yen for _, ends in gone for at, yen in ends if at >= month]
        if None in lost:
            return None
        return (sum(yen or 0 for yen in lost) * 34 + 500) // 1000
    start = moment - timedelta(days=7 if kind is Kind.AMAZON else 30)
    placed = [o for o in history if start < o.placed <= moment and not o.by_channel]
    when = [[o.placed if by == "order_date" else at for at, _ in ends] for o, ends in gone]
    counted = sum(any(start < at <= moment for at in each) for each in when)
    return 100 * counted / len(placed) if placed else None


def settings_of(kind: Kind, by: str) -> dict[str, Any]:
    if kind is Kind.SHOPIFY:
        return {"fee_percent": 3.4}
    return {} if kind is Kind.RAKUTEN else {"count_by": by, "as_of": "2026-11-01"}


@pytest.mark.parametrize("kind", [Kind.AMAZON, Kind.YAHOO, Kind.RAKUTEN, Kind.SHOPIFY])
@settings(
    max_examples=20,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    history=st.lists(drawn_orders(), max_size=14),
    by=st.sampled_from(["order_date", "cancel_date"]),
    moments=st.lists(MOMENTS, min_size=1, max_size=6),
)
async def test_rolling_numbers_equal_a_plain_recount_over_the_orders(
    database: Database, kind: Kind, history: list[Drawn], by: str, moments: list[datetime]
) -> None:
    channel_id = await kept(database, kind, settings_of(kind, by), history)

    async with database.sessions() as session:
        channel = await session.get_one(Channel, channel_id)
        found = await series.metrics_at(session, channel, [*moments, NOW])
        now = await standings.metric_now(session, channel, NOW)
        told = await report.report(session, period=Period.MONTH, now=NOW, channel=channel.code)

    assert found is not None
    values = [metric.value for metric in found]
    assert values == [recount(kind, by, history, moment) for moment in [*moments, NOW]]
    assert found[-1] == now == told.channels[0].now
    for day in told.channels[0].days:
        assert (day.orders, day.ended, day.counted) == recounted(kind, history, day.day)
    for metric in found:
        check_headroom(kind, metric)


def recounted(kind: Kind, history: list[Drawn], day: date) -> tuple[int, int, int]:
    """Placed, ended and weighing on a Tokyo day."""

    def on(moment: datetime | None) -> bool:
        return moment is not None and (moment + timedelta(hours=9)).date() == day

    return (
        sum(on(o.placed) and not o.by_channel for o in history),
        sum(any(on(at) for at, _, _ in o.ends) for o in history),
        sum(any(on(at) for at, _ in o.weighing(kind)) for o in history),
    )


def check_headroom(kind: Kind, metric: Any) -> None:
    """So many more, and not one further, leave the value below the limit."""
    if kind is Kind.RAKUTEN:
        assert metric.limit in STEPS
        if metric.value < metric.limit:
            assert metric.value + 15 * metric.headroom < metric.limit
            assert metric.value + 15 * (metric.headroom + 1) >= metric.limit
    elif kind is Kind.AMAZON and metric.value is not None and metric.value < metric.limit:
        counted, orders = (int(part) for part in metric.detail.split(" orders")[0].split(" of "))
        assert 40 * (counted + metric.headroom) < orders <= 40 * (counted + metric.headroom + 1)
    elif kind in {Kind.YAHOO, Kind.SHOPIFY}:
        assert metric.headroom is None
