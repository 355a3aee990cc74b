"""The penalty report: days, headroom in words, causes, cost; as table, CSV and picture."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from defusedxml import ElementTree
from sqlalchemy import update

from inventory.errors import BadInput, NotFound
from inventory.models import PenaltyEntry
from inventory.penalties import Metric
from inventory.penalty_record import chart, tables, words
from inventory.penalty_record import report as penalty_report
from inventory.penalty_record.report import PenaltyReport, Period
from inventory.penalty_record.tables import Table
from inventory.vocabulary import Party
from tests.conftest import Save
from tests.desk.conftest import Floor
from tests.factories import ChannelFactory

DAY = timedelta(days=1)


async def told(floor: Floor, period: Period = Period.WEEK, **more: Any) -> PenaltyReport:
    async with floor.database.sessions() as session:
        now = floor.clock.now()
        return await penalty_report.report(session, period=period, now=now, **more)


@pytest.fixture
async def week(floor: Floor) -> Floor:
    """Six days: 20 orders a day at Amazon; on the second day one of them ended, on the fourth two.

    A buyer at Rakuten ended an order by the button; an order of two SKUs was given up there.
    """
    await floor.receive("MUG", 500)
    await floor.receive("TEE", 500)
    floor.clock.moment -= 5 * DAY
    for day in range(6):
        for number in range(20):
            await floor.sell("amazon", f"a-{day}-{number}")
        for number in range({1: 1, 3: 2}.get(day, 0)):
            order = floor.malls["amazon"].end(f"a-{day}-{number}", Party.SELLER, "NoInventory")
            await floor.pull("amazon", order)
        if day == 4:
            await floor.sell("rakuten", "r-1")
            await floor.pull("rakuten", floor.malls["rakuten"].end("r-1", Party.BUYER, "1"))
            await floor.sell("rakuten", "r-2", {"MUG": 2, "TEE": 1})
            await floor.pull("rakuten", floor.malls["rakuten"].end("r-2", Party.SELLER, "8"))
        await floor.work()
        if day < 5:
            floor.later(86_400 - 20 - 2 * (day == 4))
    return floor


async def test_every_day_has_its_own_rate(week: Floor) -> None:
    report = await told(week)
    amazon = {channel.channel: channel for channel in report.channels}["amazon"]

    assert (report.first_day, report.last_day) == (date(2026, 11, 15), date(2026, 11, 21))
    figures = [(day.orders, day.ended, day.counted) for day in amazon.days]
    assert figures == [(0, 0, 0), (20, 0, 0), (20, 1, 1), (20, 0, 0), (20, 2, 2), *[(20, 0, 0)] * 2]
    rates = [day.metric.value if day.metric else None for day in amazon.days]
    assert rates == [None, 0, 2.5, 100 / 60, 3.75, 3.0, 2.5]
    assert amazon.now is not None
    assert (amazon.now.value, amazon.now.limit, amazon.now.as_of) == (2.5, 2.5, date(2026, 11, 1))


async def test_ends_are_told_by_sku_and_cause(week: Floor) -> None:
    report = await told(week)
    rows = [
        (row.channel, row.sku, row.cause, row.orders, row.units, row.counted)
        for row in report.causes
    ]
    assert rows == [
        ("amazon", "MUG", "shop_out_of_stock", 3, 3, 3),
        ("rakuten", "MUG", "shop_out_of_stock", 1, 2, 1),
        ("rakuten", "TEE", "shop_out_of_stock", 1, 1, 1),
        ("rakuten", "MUG", "buyer_self", 1, 1, 0),
    ]
    assert report.causes_left_out == 0


async def test_costs_are_added_up_by_part_and_what_is_unknown_is_said(week: Floor) -> None:
    async with week.database.transaction() as session:
        cost = {"margin_yen": 300, "late_yen": 200, "total_yen": 500}
        which = PenaltyEntry.order_ref.in_(["a-1-0", "a-3-0"])
        await session.execute(update(PenaltyEntry).where(which).values(cost=cost))
    report = await told(week)
    amazon = {channel.channel: channel for channel in report.channels}["amazon"]
    assert (amazon.cost.total_yen, amazon.cost.unknown, amazon.cost.orders) == (1000, 1, 3)
    assert amazon.cost.parts == {"margin_yen": 600, "late_yen": 400}
    assert amazon.cost.worth_yen == 3000


async def test_a_period_of_the_past_is_told_as_it_stood_then(week: Floor) -> None:
    report = await told(week, last_day=date(2026, 11, 17), channel="amazon")
    [amazon] = report.channels
    assert [day.orders for day in amazon.days] == [0, 0, 0, 0, 0, 20, 20]
    assert amazon.days[-1].metric is not None
    assert amazon.days[-1].metric.value == 2.5
    assert sum(row.orders for row in report.causes) == 1


async def test_an_empty_period_an_unknown_channel_and_a_day_to_come(
    floor: Floor, save: Save
) -> None:
    await save(ChannelFactory.build(code="web", kind="own_store"))
    report = await told(floor, Period.MONTH, last_day=date(2026, 1, 31))
    assert report.causes == ()
    assert len(report.channels[0].days) == 30
    [web] = [channel for channel in report.channels if channel.channel == "web"]
    assert (web.now, web.days[0].metric) == (None, None)
    assert web.headroom.startswith("no metric")
    assert "nothing was given up" in tables.sentences(web)[-1]
    with pytest.raises(NotFound):
        await told(floor, channel="nowhere")
    with pytest.raises(BadInput, match="not over yet"):
        await told(floor, last_day=date(2026, 11, 22))
    with pytest.raises(BadInput, match="no record"):
        await told(floor, last_day=date(1, 1, 1))


async def test_a_young_record_says_so_for_the_days_it_does_not_cover(week: Floor) -> None:
    await week.set_channel("amazon", connected_at=week.clock.now() - 8 * DAY)
    [amazon] = (await told(week, channel="amazon")).channels
    complete = [day.metric.history_complete for day in amazon.days if day.metric]
    assert complete == [False] * 5 + [True] * 2
    assert amazon.now is not None
    assert amazon.now.history_complete
    await week.set_channel("amazon", connected_at=week.clock.now() - 2 * DAY)
    [amazon] = (await told(week, channel="amazon")).channels
    assert words.INCOMPLETE in amazon.headroom


async def test_what_is_under_way_is_said_beside_the_room_left(floor: Floor) -> None:
    await floor.set_channel("rakuten", desk_policy="review")
    await floor.receive("MUG", 1)
    await floor.sell("yahoo", "o-1")
    await floor.sell("rakuten", "o-2")
    await floor.work()
    channels = {each.channel: each for each in (await told(floor)).channels}
    assert channels["rakuten"].headroom == (
        "two more out-of-stock cancels until 35 points; one more than that reaches it;"
        " one under way already, not counted in this"
    )


def metric(**changes: Any) -> Metric:
    values: dict[str, Any] = {
        "name": "cancel_rate_7_days",
        "value": 1.0,
        "unit": "percent",
        "limit": 2.5,
        "as_of": date(2026, 11, 1),
        "history_complete": True,
        "headroom": 2,
    }
    return Metric(**(values | changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "two more out-of-stock cancels until 2.5 %; one more than that reaches it"),
        (
            {"headroom": 1},
            "one more out-of-stock cancel until 2.5 %; one more than that reaches it",
        ),
        ({"headroom": 0}, "no more out-of-stock cancels until 2.5 %; the next one reaches it"),
        ({"value": 2.5, "headroom": 0}, "2.5 % is reached: 2.5 % now"),
        (
            {"headroom": 13},
            "13 more out-of-stock cancels until 2.5 %; one more than that reaches it",
        ),
        ({"limit": None, "headroom": None}, "no limit is set: 1 % now"),
        ({"limit": None, "value": None}, "no limit is set: unknown now"),
        ({"headroom": None}, "2.5 % cannot be reached: a cancellation scores nothing"),
        (
            {"limit": None, "unit": "yen", "value": 340.0},
            "no limit: 340 yen of card fees lost so far",
        ),
    ],
)
def test_headroom_in_words(changes: dict[str, Any], said: str) -> None:
    assert words.headroom(metric(**changes)) == said


async def test_each_table_is_csv_that_a_spreadsheet_reads(week: Floor) -> None:
    report = await told(week)
    for table, rows in ((Table.RATES, 28), (Table.CAUSES, 4), (Table.ENTRIES, 5)):
        async with week.database.sessions() as session:
            found = await tables.rows_of(session, report, table)
        text = tables.as_csv(tables.heading_of(table), found)
        read = list(csv.DictReader(io.StringIO(text)))
        assert len(read) == rows
        assert None not in read[0]
        assert None not in read[0].values()
    entry = next(row for row in read if row["order_ref"] == "r-2")
    assert entry["lines"] == "MUG x2; TEE x1"
    assert (entry["before"], entry["after"], entry["limit"]) == ("0", "15", "35")
    assert (entry["headroom_before"], entry["headroom_after"]) == ("2", "1")
    assert entry["ended_at"].endswith("Z")


def test_what_looks_like_a_formula_is_made_harmless() -> None:
    text = tables.as_csv(["a", "b"], [["=1+1", datetime(2026, 1, 2, tzinfo=UTC)]])
    assert text.splitlines()[1] == "'=1+1,2026-01-02T00:00:00Z"


async def test_too_many_entries_are_refused(week: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "ENTRIES_MAX", 4)
    report = await told(week)
    async with week.database.sessions() as session:
        with pytest.raises(BadInput, match="more than 4 entries"):
            await tables.rows_of(session, report, Table.ENTRIES)


async def test_the_picture_is_whole_in_itself(week: Floor, save: Save) -> None:
    await save(ChannelFactory.build(code="<b>&own", kind="own_store"))
    for period in Period:
        report = await told(week, period)
        picture = chart.svg(report)
        tree = ElementTree.fromstring(picture)
        kinds = [element.tag.rpartition("}")[2] for element in tree.iter()]
        # One more is the legend's.
        assert kinds.count("circle") - 1 == sum(
            day.metric is not None and day.metric.value is not None
            for channel in report.channels
            for day in channel.days
        )
        assert "script" not in kinds
        page = chart.page(report)
        assert "&lt;b&gt;&amp;own" in page
        for loaded in ("<script", "href=", "src=", "url(", "@import", "<link"):
            assert loaded not in page
        assert page.count("http") == page.count("http://www.w3.org/2000/svg") + page.count(
            "http-equiv"
        )
        assert picture.strip() in page


async def test_the_line_breaks_where_a_value_is_unknown(week: Floor) -> None:
    [amazon] = (await told(week, channel="amazon")).channels
    report = await told(week, channel="amazon")
    tree = ElementTree.fromstring(chart.svg(report))
    path, *_ = [each for each in tree.iter() if each.tag.endswith("path")]
    # Without an order on the first day there was no rate; six days have one.
    assert (path.attrib["d"].count("M"), path.attrib["d"].count("L")) == (1, 5)
    assert amazon.days[0].metric is not None
    assert amazon.days[0].metric.value is None
