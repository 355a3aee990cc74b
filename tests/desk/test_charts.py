"""The penalty chart: what is drawn lies in the picture, and where its figure says."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from defusedxml import ElementTree

from inventory.penalties import Metric
from inventory.penalty_record import chart, words
from inventory.penalty_record.costs import Cost
from inventory.penalty_record.report import DAYS, ChannelPenalties, Day, PenaltyReport, Period

LAST = date(2024, 2, 29)
# As wide as a letter of a wide sans-serif at 12 pixels, and bold; a digit is narrower than either.
WIDE, BOLD = 7.5, 8.4


def metric(value: float | None, limit: float | None, unit: str = "percent", **more: Any) -> Metric:
    values: dict[str, Any] = {
        "name": "cancel_rate_30_days",
        "as_of": LAST,
        "history_complete": False,
        "headroom": None if limit is None else 0,
    }
    return Metric(value=value, limit=limit, unit=unit, **(values | more))


def told(*channels: ChannelPenalties, period: Period = Period.WEEK) -> PenaltyReport:
    now = datetime(2024, 2, 29, 3, tzinfo=UTC)
    return PenaltyReport(
        period=period,
        first_day=LAST - timedelta(days=DAYS[period] - 1),
        last_day=LAST,
        since=now - timedelta(days=DAYS[period]),
        until=now,
        as_of=now,
        channels=channels,
        channels_left_out=0,
        causes=(),
        causes_left_out=0,
    )


def channel(
    *metrics: Metric | None,
    counted: int = 0,
    period: Period = Period.WEEK,
    code: str = "shop",
    under_way: int = 0,
) -> ChannelPenalties:
    """A channel whose days are the last of the period; the days before them have no metric."""
    days = DAYS[period]
    every = [None] * (days - len(metrics)) + list(metrics)
    now = every[-1]
    return ChannelPenalties(
        channel=code,
        kind="yahoo",
        now=now,
        headroom=words.headroom(now, under_way=under_way),
        under_way=under_way,
        days=tuple(
            Day(
                day=LAST - timedelta(days=days - 1 - number),
                orders=counted,
                ended=counted,
                counted=counted if number == days - 1 else 0,
                metric=each,
            )
            for number, each in enumerate(every)
        ),
        cost=Cost(),
    )


def named(tree: Element, name: str) -> list[Element]:
    """Elements of this name, without those of the legend."""
    return [
        each
        for part in [tree, *tree]
        if part.get("id") != "legend"
        for each in ([part] if part is tree else part.iter())
        if each.tag.rpartition("}")[2] == name
    ]


def number(element: Element, name: str) -> float:
    return float(element.attrib[name])


@pytest.mark.parametrize("period", list(Period))
@pytest.mark.parametrize(
    ("value", "limit", "unit"),
    [
        *((0.0, 2.5, "percent"), (100.0, 2.5, "percent"), (100.0, None, "percent")),
        *((None, 10.0, "percent"), (0.01, None, "percent"), (150.0, 35.0, "points")),
        *((98_765_432.0, None, "yen"), (2.5, 2.5, "percent")),
    ],
)
def test_everything_lies_in_the_picture(
    period: Period, value: float | None, limit: float | None, unit: str
) -> None:
    shown = metric(value, limit, unit)
    long = channel(shown, counted=12_345, period=period, code="a" * 50, under_way=13)
    none = channel(None, period=period, code="own-store")
    tree = ElementTree.fromstring(chart.svg(told(long, none, long, period=period)))
    for text in named(tree, "text"):
        wide = len(text.text or "") * (BOLD if "font-weight" in text.attrib else WIDE)
        x = number(text, "x")
        left = {"end": x - wide, "middle": x - wide / 2}.get(text.get("text-anchor", ""), x)
        assert left >= 0, text.text
        assert left + wide <= chart.WIDTH, text.text
    for bar in named(tree, "rect")[1:]:
        assert chart.LEFT <= number(bar, "x") <= chart.WIDTH - chart.RIGHT - 10
        assert number(bar, "y") >= chart.TOP
        assert number(bar, "y") + number(bar, "height") <= chart.HEIGHT - chart.BOTTOM + 0.05
    for dot in named(tree, "circle"):
        assert chart.LEFT < number(dot, "cx") < chart.WIDTH - chart.RIGHT
        assert chart.TOP <= number(dot, "cy") <= chart.HEIGHT - chart.BOTTOM
    [box] = named(tree, "rect")[:1]
    assert tree.attrib["viewBox"] == f"0 0 {chart.WIDTH} {box.attrib['height']}"


def test_panels_stand_one_below_the_other() -> None:
    shop = channel(metric(1.0, 2.5), under_way=3)
    tree = ElementTree.fromstring(chart.svg(told(shop, shop, channel(None), shop)))
    panels = list(tree)[2:]
    tops = [float(each.attrib["transform"].split()[1].rstrip(")")) for each in panels]
    lowest = [max(number(text, "y") for text in each.iter(panels[0][0].tag)) for each in panels]
    assert tops == sorted(set(tops))
    assert all(top + low < after for top, low, after in zip(tops, lowest, tops[1:], strict=False))
    assert tops[-1] + lowest[-1] < number(tree, "height")


@pytest.mark.parametrize(
    ("value", "limit"), [(0.0, 2.5), (100.0, 10.0), (1.25, 2.5), (None, 2.5), (5.0, None)]
)
def test_labels_limit_and_value_are_on_one_scale(value: float | None, limit: float | None) -> None:
    tree = ElementTree.fromstring(chart.svg(told(channel(metric(value, limit)))))
    labels = [text for text in named(tree, "text") if text.get("text-anchor") == "end"]
    scale = {
        float((text.text or "").replace(",", "")): number(grid, "y1")
        for text, grid in zip(labels, named(tree, "line"), strict=True)
    }
    (zero, base), *_, (most, top) = sorted(scale.items())
    assert (zero, base) == (0, chart.HEIGHT - chart.BOTTOM)

    def at(figure: float) -> float:
        return base - (base - top) * figure / most

    if limit is not None:
        [dashed] = named(tree, "polyline")
        [height] = {float(point.split(",")[1]) for point in dashed.attrib["points"].split()}
        assert height == pytest.approx(at(limit), abs=0.1)
    else:
        assert named(tree, "polyline") == []
    dots = [number(dot, "cy") for dot in named(tree, "circle")]
    assert dots == ([] if value is None else [pytest.approx(at(value), abs=0.1)])


def test_a_bar_says_how_many_ends_weigh() -> None:
    tree = ElementTree.fromstring(chart.svg(told(channel(metric(1.0, 2.5), counted=3))))
    [_, bar] = named(tree, "rect")
    assert [each.text for each in bar] == ["2024-02-29: 3 of 3 ends weigh"]
    assert "3" in [text.text for text in named(tree, "text")]


def test_no_channel_at_all_is_said() -> None:
    tree = ElementTree.fromstring(chart.svg(told()))
    assert [text.text for text in named(tree, "text")] == ["no channel is connected"]


def test_figures_for_people_have_their_thousands_apart() -> None:
    assert words.amount(1_234_567.0, "yen") == "1,234,567 yen"
    assert words.amount(10.0, "percent") == "10 %"
    assert words.amount(100.0, "points") == "100 points"


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
