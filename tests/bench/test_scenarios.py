"""What callers buy: streams that a seed repeats, and that are what their names say."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest

from inventory.bench.scenarios import (
    HOT,
    MULTI,
    SCENARIOS,
    SPREAD,
    ZIPF,
    Scenario,
    baskets,
    refs,
    sales,
)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: str(scenario.name))
def test_a_seed_repeats_a_stream(scenario: Scenario) -> None:
    first = baskets(scenario, seed=7, count=500)

    assert first == baskets(scenario, seed=7, count=500)
    assert scenario is HOT or first != baskets(scenario, seed=8, count=500)
    assert all(len(basket) == scenario.lines for basket in first)
    assert all(0 <= number < scenario.skus for basket in first for number in basket)


def test_hot_is_one_sku() -> None:
    assert set(baskets(HOT, seed=1, count=100)) == {(0,)}


def test_spread_is_even_over_ten_thousand_skus() -> None:
    wanted = Counter(number for [number] in baskets(SPREAD, seed=1, count=100_000))

    assert max(wanted.values()) < 40
    assert sum(wanted[number] for number in range(5_000)) == pytest.approx(50_000, rel=0.02)


def test_zipf_wants_the_first_sku_twice_as_often_as_the_second() -> None:
    wanted = Counter(number for [number] in baskets(ZIPF, seed=1, count=100_000))

    # The weights 1/1 + 1/2 + … + 1/10,000 add up to 9.7876.
    assert wanted[0] == pytest.approx(100_000 / 9.7876, rel=0.05)
    assert wanted[0] / wanted[1] == pytest.approx(2, rel=0.1)
    assert wanted[0] / wanted[9] == pytest.approx(10, rel=0.15)


def test_a_basket_never_holds_a_sku_twice() -> None:
    assert all(len(set(basket)) == 3 for basket in baskets(MULTI, seed=1, count=1_000))


def test_names_are_fresh_in_every_run() -> None:
    first = list(itertools.islice(refs(12), 1_000))
    second = set(itertools.islice(refs(13), 1_000))

    assert first[:2] == ["250-0000012-0000001", "250-0000012-0000002"]
    assert len(set(first)) == 1_000
    assert second.isdisjoint(first)


def test_a_stream_begins_anew_with_fresh_names() -> None:
    asked = list(itertools.islice(sales(MULTI, run=1, seed=1), (1 << 16) + 1))

    assert asked[0][1] == asked[-1][1]
    assert asked[0][0] != asked[-1][0]
