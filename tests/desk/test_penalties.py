"""The marketplaces' metrics: their limits, the edges of their windows, and what stays unknown."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory import penalties
from inventory.errors import SettingWrong
from inventory.penalties import AnyRules, GivenUp, Metric, Standing
from inventory.vocabulary import Kind

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def rules(kind: Kind, **metrics: Any) -> AnyRules:
    found = penalties.rules_of(kind, metrics)
    assert found is not None
    return found


def metric(
    kind: Kind, standing: Standing, *, known_from: datetime = LONG_AGO, **metrics: Any
) -> Metric:
    return penalties.metric(rules(kind, **metrics), standing, now=NOW, known_from=known_from)


def given_up(*, days_ago: float = 0, ended_days_ago: float = 0, yen: int | None = 1000) -> GivenUp:
    return GivenUp(
        ordered_at=NOW - timedelta(days=days_ago),
        ended_at=NOW - timedelta(days=ended_days_ago),
        yen=yen,
    )


@pytest.mark.parametrize(
    ("orders", "allowed"), [(0, 0), (1, 0), (40, 0), (41, 1), (80, 1), (81, 2), (120, 2), (121, 3)]
)
def test_how_many_cancellations_amazon_bears(orders: int, allowed: int) -> None:
    assert penalties.allowed_cancels(orders, limit_percent=2.5) == allowed
    if orders:
        within = metric(Kind.AMAZON, Standing(orders=orders, counted=allowed))
        beyond = metric(Kind.AMAZON, Standing(orders=orders, counted=allowed + 1))
        assert within.value is not None
        assert within.limit is not None
        assert beyond.value is not None
        assert within.value < within.limit <= beyond.value


@given(st.integers(1, 100_000), st.floats(0.01, 100, allow_nan=False).map(lambda x: round(x, 2)))
def test_one_more_than_allowed_always_reaches_the_limit(orders: int, limit: float) -> None:
    allowed = penalties.allowed_cancels(orders, limit_percent=limit)
    assert 100 * (allowed + 1) / orders >= limit
    assert allowed == 0 or 100 * allowed / orders < limit


def test_amazon_in_words_that_a_shop_understands() -> None:
    found = metric(Kind.AMAZON, Standing(orders=81, counted=1))
    assert found.detail == "1 of 81 orders in 7 days, 1 more may be cancelled below 2.5 %"
    assert (found.name, found.unit, found.limit) == ("cancel_rate_7_days", "percent", 2.5)
    assert isinstance(found.as_of, date)


def test_a_rate_of_no_orders_is_unknown() -> None:
    assert metric(Kind.AMAZON, Standing()).value is None


@pytest.mark.parametrize(
    ("kind", "days", "inside"),
    [
        (Kind.AMAZON, 0, True),
        (Kind.AMAZON, 6.99999, True),
        (Kind.AMAZON, 7, False),
        (Kind.AMAZON, -0.00001, False),
        (Kind.YAHOO, 29.99999, True),
        (Kind.YAHOO, 30, False),
    ],
)
def test_the_edges_of_a_rolling_window(kind: Kind, days: float, inside: bool) -> None:
    assert penalties.in_window(rules(kind), NOW - timedelta(days=days), NOW) is inside


def test_amazon_goes_by_the_order_date_and_yahoo_by_the_cancel_date() -> None:
    old_order = [given_up(days_ago=40, ended_days_ago=1)]
    amazon = penalties.standing(rules(Kind.AMAZON), 50, old_order, now=NOW)
    yahoo = penalties.standing(rules(Kind.YAHOO), 50, old_order, now=NOW)
    assert (amazon.counted, yahoo.counted) == (0, 1)
    by_order = rules(Kind.YAHOO, count_by="order_date", as_of="2026-11-01")
    assert penalties.standing(by_order, 50, old_order, now=NOW).counted == 0


def test_yahoo_has_no_limit_until_the_shop_sets_one() -> None:
    standing = Standing(orders=200, counted=1)
    assert metric(Kind.YAHOO, standing).limit is None
    own = metric(Kind.YAHOO, standing, limit_percent=1.0, as_of="2026-11-20")
    assert (own.value, own.limit, own.as_of) == (0.5, 1.0, date(2026, 11, 20))


MOMENTS = st.integers(0, 60 * 24 * 60).map(lambda minutes: timedelta(minutes=minutes))


@given(
    orders=st.lists(st.tuples(MOMENTS, st.none() | MOMENTS), max_size=40),
    kind=st.sampled_from([Kind.AMAZON, Kind.YAHOO]),
    by=st.sampled_from(["order_date", "cancel_date"]),
    later=MOMENTS,
)
def test_a_rolling_rate_equals_a_plain_recount(
    orders: list[tuple[timedelta, timedelta | None]], kind: Kind, by: str, later: timedelta
) -> None:
    """Orders are (placed, cancelled after); the rate is asked for at any later moment."""
    chosen = rules(kind, count_by=by, as_of="2026-11-01")
    days = {Kind.AMAZON: 7, Kind.YAHOO: 30}[kind]
    start, asked = LONG_AGO, LONG_AGO + timedelta(days=45) + later
    placed = cancelled = 0
    history = []
    for placed_after, cancelled_after in orders:
        ordered_at = start + placed_after
        placed += asked - timedelta(days=days) < ordered_at <= asked
        if cancelled_after is not None:
            ended_at = ordered_at + cancelled_after
            history.append(GivenUp(ordered_at=ordered_at, ended_at=ended_at, yen=None))
            moment = ordered_at if by == "order_date" else ended_at
            # Who asks does not know yet of an end that comes later.
            cancelled += asked - timedelta(days=days) < moment <= asked and ended_at <= asked

    standing = penalties.standing(chosen, placed, history, now=asked)
    found = penalties.metric(chosen, standing, now=asked, known_from=LONG_AGO)

    assert found.value == (100 * cancelled / placed if placed else None)


@pytest.mark.parametrize(
    ("events", "points", "limit"),
    [(0, 0, 35), (2, 30, 35), (3, 45, 55), (5, 75, 80), (7, 105, 100)],
)
def test_rakutens_points_and_the_step_ahead(events: int, points: float, limit: float) -> None:
    found = metric(Kind.RAKUTEN, Standing(counted=events))
    assert (found.value, found.limit, found.unit) == (points, limit, "points")


def test_a_step_that_is_crossed_is_still_the_limit_shown_after() -> None:
    before, after = Standing(counted=2), Standing(counted=3)
    crossed = penalties.metric(
        rules(Kind.RAKUTEN), after, now=NOW, known_from=LONG_AGO, seen_from=before
    )
    assert (crossed.value, crossed.limit) == (45, 35)


def test_rakutens_year_starts_at_midnight_in_tokyo() -> None:
    rakuten = rules(Kind.RAKUTEN)
    new_year = datetime(2026, 12, 31, 15, 0, tzinfo=UTC)
    assert penalties.window_start(rakuten, new_year) == new_year
    eve = new_year - timedelta(microseconds=1)
    assert penalties.window_start(rakuten, eve) == datetime(2025, 12, 31, 15, 0, tzinfo=UTC)
    given = [GivenUp(ordered_at=None, ended_at=eve, yen=None)]
    assert penalties.standing(rakuten, 0, given, now=eve).counted == 1
    assert penalties.standing(rakuten, 0, given, now=new_year).counted == 0


def test_points_from_before_our_history_are_added_in_their_own_year_only() -> None:
    settings: dict[str, Any] = {"history_from": "2026-06-01T00:00:00+09:00", "points_before": 20}
    found = metric(Kind.RAKUTEN, Standing(counted=1), **settings)
    assert (found.value, found.limit, found.history_complete) == (35, 55, True)
    next_year = penalties.metric(
        rules(Kind.RAKUTEN, **settings),
        Standing(counted=1),
        now=NOW + timedelta(days=365),
        known_from=LONG_AGO,
    )
    assert (next_year.value, next_year.history_complete) == (15, True)


def test_a_smaller_probability_is_said_and_counted() -> None:
    found = metric(Kind.RAKUTEN, Standing(counted=3), probability=0.1, as_of="2026-11-01")
    assert found.value == 4.5
    assert "1.5 points assumed for each" in found.detail


@pytest.mark.parametrize(
    ("kind", "window_start"),
    [
        (Kind.AMAZON, NOW - timedelta(days=7)),
        (Kind.YAHOO, NOW - timedelta(days=30)),
        (Kind.RAKUTEN, datetime(2025, 12, 31, 15, 0, tzinfo=UTC)),
        (Kind.SHOPIFY, datetime(2026, 10, 31, 15, 0, tzinfo=UTC)),
    ],
)
def test_history_is_complete_once_it_covers_the_window(kind: Kind, window_start: datetime) -> None:
    late = window_start + timedelta(seconds=1)
    assert metric(kind, Standing(), known_from=window_start).history_complete
    assert not metric(kind, Standing(), known_from=late).history_complete
    filled = metric(kind, Standing(), known_from=late, history_from=window_start.isoformat())
    assert filled.history_complete


@pytest.mark.parametrize(
    ("yen", "percent", "lost"),
    [(10_000, 3.4, 340), (3980, 3.55, 141), (1000, 0.05, 1), (1000, 0.04, 0)],
)
def test_shopifys_fee_in_whole_yen(yen: int, percent: float, lost: int) -> None:
    found = metric(Kind.SHOPIFY, Standing(counted=1, yen=yen), fee_percent=percent)
    assert (found.value, found.unit, found.limit) == (lost, "yen", None)


def test_unknown_money_stays_unknown() -> None:
    known: dict[str, Any] = {"fee_percent": 3.4}
    assert metric(Kind.SHOPIFY, Standing(counted=2, yen=1, unpriced=1), **known).value is None
    assert metric(Kind.SHOPIFY, Standing(counted=1, yen=1000)).value is None
    assert metric(Kind.SHOPIFY, Standing(), **known).value == 0
    later = metric(Kind.SHOPIFY, Standing(counted=1, unpriced=1), captured="at_shipment", **known)
    assert later.value == 0


def test_own_stores_have_no_metric() -> None:
    for kind in (Kind.OWN_STORE, Kind.ECCUBE, Kind.HOUSE):
        assert penalties.rules_of(kind, {}) is None


@pytest.mark.parametrize(
    ("kind", "metrics"),
    [
        (Kind.AMAZON, {"limit_percent": 3}),
        (Kind.AMAZON, {"limit_percent": 101, "as_of": "2026-11-01"}),
        (Kind.AMAZON, {"limit_percent": "much", "as_of": "2026-11-01"}),
        (Kind.AMAZON, {"window_days": 0, "as_of": "2026-11-01"}),
        (Kind.AMAZON, {"points_before": 3}),
        (Kind.AMAZON, {"name": "other", "as_of": "2026-11-01"}),
        (Kind.RAKUTEN, {"steps": [], "as_of": "2026-11-01"}),
        (Kind.RAKUTEN, {"steps": [55, 35], "as_of": "2026-11-01"}),
        (Kind.RAKUTEN, {"history_from": "2026-06-01"}),
        (Kind.SHOPIFY, {"fee_percent": -1}),
    ],
)
def test_a_wrong_threshold_or_one_without_its_date_is_named(
    kind: Kind, metrics: dict[str, Any]
) -> None:
    with pytest.raises(SettingWrong):
        penalties.rules_of(kind, metrics)
