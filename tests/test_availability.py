"""How a number may be brought to a listing: pure cases of law L7 and of the seller's rules."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.availability import (
    Lane,
    Rules,
    Shown,
    Target,
    target_absolute,
    target_relative,
    wanted_quantity,
)
from inventory.quantities import unseen_units


@pytest.mark.parametrize(
    ("available", "rules", "wanted"),
    [
        (10, Rules(), 10),
        (10, Rules(safety_stock=3), 7),
        (10, Rules(safety_percent=25), 7),  # 2.5 units are rounded up to 3
        (10, Rules(safety_stock=4, safety_percent=25), 6),
        (10, Rules(quantity_max=5), 5),
        (10, Rules(safety_stock=7, quantity_floor=3), 0),
        (10, Rules(safety_stock=6, quantity_floor=3), 4),
        (10, Rules(closed=True), 0),
        (-2, Rules(safety_percent=50), 0),
        (2, Rules(safety_stock=5), 0),
    ],
)
def test_the_sellers_rules(available: int, rules: Rules, wanted: int) -> None:
    assert wanted_quantity(available, rules) == wanted


@pytest.mark.parametrize(
    ("wanted", "shown", "unseen", "quantity", "lane"),
    [
        (7, Shown(low=8, high=8), 0, 7, Lane.LOWER),
        (7, Shown(low=8, high=8), 1, 7, Lane.LOWER),
        (7, Shown(low=8, high=8), 3, 5, Lane.LOWER),  # room for what may have been sold there
        (7, Shown(low=8, high=8), 9, 0, Lane.ZERO),
        (0, Shown(low=3, high=3), 0, 0, Lane.ZERO),
        (8, Shown(low=8, high=8), 5, 8, None),
        (9, Shown(low=8, high=8), 0, 9, Lane.RAISE),
        (9, Shown(low=8, high=8), 1, 8, None),
        (9, Shown(low=5, high=5), 2, 7, Lane.RAISE),
        (8, Shown(low=7, high=9), 0, 7, Lane.LOWER),  # it may be 9, it may be 7
        (9, None, 0, 9, Lane.READ),
        (0, None, 0, 0, Lane.ZERO),
    ],
)
def test_an_absolute_channel(
    wanted: int, shown: Shown | None, unseen: int, quantity: int, lane: Lane | None
) -> None:
    target = target_absolute(wanted, shown, lower_margin=unseen, raise_margin=unseen)
    assert target == Target(wanted=wanted, quantity=quantity, lane=lane)


@pytest.mark.parametrize(
    ("wanted", "shown", "change", "lane"),
    [
        (7, Shown(low=8, high=8), -1, Lane.LOWER),
        (0, Shown(low=8, high=8), -8, Lane.ZERO),
        (9, Shown(low=8, high=8), 1, Lane.RAISE),
        (8, Shown(low=8, high=8), 0, None),
        (8, Shown(low=7, high=8), None, Lane.READ),
        (5, Shown(low=7, high=9), -2, Lane.LOWER),
        (0, Shown(low=7, high=9), None, Lane.ZERO),
        (8, None, None, Lane.READ),
        (0, None, None, Lane.ZERO),
    ],
)
def test_a_relative_channel(
    wanted: int, shown: Shown | None, change: int | None, lane: Lane | None
) -> None:
    target = target_relative(wanted, shown)
    assert target == Target(wanted=wanted, quantity=wanted, lane=lane, change=change)


numbers = st.integers(min_value=0, max_value=200)


@given(wanted=numbers, low=numbers, width=numbers, sold=numbers, unseen=numbers)
def test_what_goes_out_at_once_never_gives_back_a_unit_sold_unseen(
    wanted: int, low: int, width: int, sold: int, unseen: int
) -> None:
    """Whatever stands there within the range, less the unseen sales, is not below what is sent."""
    shown = Shown(low=low, high=low + width)
    target = target_absolute(wanted, shown, lower_margin=unseen, raise_margin=unseen)
    if target.lane in {Lane.LOWER, Lane.ZERO}:
        assert target.quantity <= max(low - min(sold, unseen), 0)
    assert target.quantity <= max(wanted, shown.low)


@given(
    sold=st.integers(min_value=1, max_value=2_000),
    blind=st.floats(min_value=0.01, max_value=600),
    quantile=st.sampled_from([0.9, 0.99, 0.999]),
)
def test_unseen_units_is_the_poisson_quantile(sold: int, blind: float, quantile: float) -> None:
    units = unseen_units(sold=sold, window_seconds=60, blind_seconds=blind, quantile=quantile)
    mean = sold / 60 * blind
    if mean <= 500:
        assert cumulated(units, mean) >= quantile - 1e-9
        assert units == 0 or cumulated(units - 1, mean) < quantile + 1e-9
    else:
        assert mean < units <= mean + 4 * math.sqrt(mean) + 1


def cumulated(units: int, mean: float) -> float:
    logs = [-mean + k * math.log(mean) - math.lgamma(k + 1) for k in range(units + 1)]
    return math.fsum(math.exp(value) for value in logs)


@pytest.mark.parametrize(
    ("sold", "blind", "units"), [(0, 600, 0), (1, 0, 0), (1, 2, 1), (1, 3, 2), (60, 1, 5)]
)
def test_unseen_units_in_figures(sold: int, blind: float, units: int) -> None:
    # 1 a minute seen 3 s late: mean 0.05, P(more than 1) = 0.12 %, so 0.1 % needs 2.
    found = unseen_units(sold=sold, window_seconds=60, blind_seconds=blind, quantile=0.999)
    assert found == units
