"""How many more cancellations stay below a step of points, and which ends count as one order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from inventory import penalties
from inventory.penalties import GivenUp, Metric, Standing
from inventory.vocabulary import Kind

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def points(counted: int, **metrics: Any) -> Metric:
    rules = penalties.rules_of(Kind.RAKUTEN, {"as_of": "2026-11-01", **metrics})
    assert rules is not None
    known = NOW - timedelta(days=400)
    return penalties.metric(rules, Standing(counted=counted), now=NOW, known_from=known)


@pytest.mark.parametrize(
    ("counted", "metrics", "room"),
    [
        (0, {}, 2),
        (1, {}, 1),
        (2, {}, 0),
        (3, {}, 0),
        (7, {}, 0),
        (0, {"probability": 0.5}, 4),
        (0, {"points_per_cancel": 5}, 6),
        (0, {"points_per_cancel": 0}, None),
        (2, {"probability": 0.0}, None),
    ],
)
def test_so_many_more_stay_below_the_step(
    counted: int, metrics: dict[str, Any], room: int | None
) -> None:
    assert points(counted, **metrics).headroom == room


def test_points_from_before_are_told_only_where_there_are_some() -> None:
    rules: dict[str, Any] = {"points_before": 20, "history_from": "2026-03-01T00:00:00Z"}
    assert points(1, **rules).detail.endswith(", 20 points before our history")
    assert "before our history" not in points(1).detail


def test_ends_of_one_order_count_once_and_their_money_adds_up() -> None:
    rules = penalties.rules_of(Kind.AMAZON, {})
    assert rules is not None
    ends = [
        GivenUp(order=order, ordered_at=NOW, ended_at=NOW, yen=yen)
        for order, yen in ((1, 100), (1, 20), (2, 3), (None, 4), (None, None))
    ]
    found = penalties.standing(rules, 9, ends, now=NOW)
    assert found == Standing(orders=9, counted=4, yen=127, unpriced=1)
    assert penalties.standing(rules, 0, [], now=NOW) == Standing()
    assert Standing().counted == Standing().yen == 0
