"""The penalty report's picture: every mark lies where its figure is, and nothing is cut off."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from defusedxml import ElementTree
from hypothesis import given
from hypothesis import strategies as st

from inventory.penalties import Metric
from inventory.penalty_record import chart, words
from inventory.penalty_record.costs import Cost
from inventory.penalty_record.report import ChannelPenalties, Day, PenaltyReport, Period

FIRST = date(2026, 11, 15)
MIDNIGHT = datetime(2026, 11, 14, 15, tzinfo=UTC)
# What stands above a letter's foot beside a mark of the axis.
FOOT = 4


def channel(values: list[float | None], limit: float | None, unit: str) -> ChannelPenalties:
    """A channel whose metric was this at the end of each day; two orders a day ended."""
    metrics = [
        Metric(
            name="violation_points",
            value=value,
            unit=unit,
            limit=limit,
            as_of=FIRST,
            history_complete=False,
            headroom=None if limit is None else 3,
        )
        for value in values
    ]
    return ChannelPenalties(
        channel="a-shop-whose-code-is-as-long-as-codes-may-be",
        kind="rakuten",
        now=metrics[-1],
        headroom=words.headroom(metrics[-1], under_way=2),
        under_way=2,
        days=tuple(
            Day(day=FIRST + timedelta(days=number), orders=9, ended=2, counted=number, metric=each)
            for number, each in enumerate(metrics)
        ),
        cost=Cost(orders=0, total_yen=0, parts={}, unknown=0, worth_yen=0),
    )


def picture(*channels: ChannelPenalties) -> Any:
    """The picture of such a week, as a tree."""
    report = PenaltyReport(
        period=Period.WEEK,
        first_day=FIRST,
        last_day=FIRST + timedelta(days=6),
        since=MIDNIGHT,
        until=MIDNIGHT + timedelta(days=7),
        as_of=MIDNIGHT + timedelta(days=7),
        channels=channels,
        channels_left_out=0,
        causes=(),
        causes_left_out=0,
    )
    return ElementTree.fromstring(chart.svg(report))


def found(tree: Any, tag: str) -> list[Any]:
    """Elements of this name, in order."""
    return [each for each in tree.iter() if each.tag.rpartition("}")[2] == tag]


weeks = st.lists(
    st.none() | st.floats(0, 1_000_000).map(lambda value: round(value, 2)), min_size=7, max_size=7
)


@given(
    values=weeks,
    limit=st.none() | st.sampled_from([2.5, 10.0, 35.0]),
    unit=st.sampled_from(["percent", "points", "yen"]),
)
def test_marks_lie_where_their_figures_are(
    values: list[float | None], limit: float | None, unit: str
) -> None:
    tree = picture(channel(values, limit, unit))
    axis = [each for each in found(tree, "text") if each.attrib.get("text-anchor") == "end"]
    high, low = axis[-1], axis[0]
    top, base = float(high.attrib["y"]) - FOOT, float(low.attrib["y"]) - FOOT
    marked = float(high.text.replace(",", ""))
    assert low.text == "0"
    assert marked >= max([limit or 0, *(value or 0 for value in values)])

    def y(value: float) -> Any:
        return pytest.approx(base - (base - top) * value / marked, abs=0.11)

    known = [value for value in values if value is not None]
    dots = found(tree, "circle")[:-1]
    assert [float(dot.attrib["cy"]) for dot in dots] == [y(value) for value in known]
    lines = found(tree, "polyline")
    assert len(lines) == (limit is not None)
    for line in lines:
        for point in line.attrib["points"].split():
            assert float(point.split(",")[1]) == y(limit or 0)


@given(values=weeks, unit=st.sampled_from(["percent", "points", "yen"]))
def test_nothing_is_cut_off_at_an_edge(values: list[float | None], unit: str) -> None:
    shown = channel(values, 35.0, unit)
    tree = picture(shown, shown)
    anchors = {"start": 0.0, "middle": 0.5, "end": 1.0}
    for each in found(tree, "text"):
        letter = chart.BOLD if each.attrib.get("font-weight") else chart.LETTER
        wide = len(each.text) * letter
        left = float(each.attrib["x"]) - wide * anchors[each.attrib.get("text-anchor", "start")]
        assert left >= 0, each.text
        assert left + wide <= chart.WIDTH, each.text
    assert " ".join(each.text for each in found(tree, "text")).count(shown.headroom) == 2
    for panel in (each for each in tree if each.tag.endswith("}g")):
        feet = [float(each.attrib["y"]) for each in found(panel, "text") if each.get("x") == "12"]
        assert all(below - foot >= chart.LINE_HEIGHT for foot, below in pairwise(feet))
        assert all(foot < chart.TOP for foot in feet)
    panels = [each for each in tree if each.tag.endswith("}g")]
    tops = [float(each.attrib["transform"][:-1].split()[1]) for each in panels]
    assert tops[:2] == [0, chart.HEIGHT]
    assert tops[2] < float(tree.attrib["height"])


def test_bars_grow_with_the_ends_of_their_day() -> None:
    bars = [
        each
        for each in found(picture(channel([0.0] * 7, None, "yen")), "rect")
        if len(each)  # with what it says when it is pointed at
    ]
    talls = [float(each.attrib["height"]) for each in bars]
    assert talls == [pytest.approx(chart.BAR_HEIGHT * ends / 6, abs=0.06) for ends in range(1, 7)]
    assert bars[0][0].text == "2026-11-16: 1 ended that weigh, of 2"


@pytest.mark.parametrize(
    ("highest", "marks"),
    [
        (1.0, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (2.5, [0, 1, 2, 3]),
        (15.62, [0, 5, 10, 15, 20]),
        (35.0, [0, 10, 20, 30, 40]),
        (757.0, [0, 200, 400, 600, 800]),
        (1_000_000.0, [0, 200_000, 400_000, 600_000, 800_000, 1_000_000]),
    ],
)
def test_the_axis_is_marked_at_round_figures(highest: float, marks: list[float]) -> None:
    assert chart.ticks(highest) == pytest.approx(marks)
