"""The choice is the least of all sets, found by trying them all; no simpler rule is cheaper."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import combinations
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory.desk import choice, costs
from inventory.desk.costs import Closing, Offer, Shop
from inventory.vocabulary import Kind
from tests.desk.offers import NOW, offer, shop

KINDS = (Kind.RAKUTEN, Kind.YAHOO, Kind.AMAZON, Kind.SHOPIFY, Kind.ECCUBE, Kind.YAHOO, Kind.AMAZON)
# Every set of 500 orders would be 2 to the power of 500.
STEPS_MAX = 1_000_000


@st.composite
def shops(draw: st.DrawFn) -> dict[int, Shop]:
    """Shops of each kind, of two kinds a second one, in any standing.

    Their prices are small so that ties come up.
    """
    found = {}
    for channel_id, kind in enumerate(KINDS, start=1):
        prices: dict[str, Any] = {"margin_percent": 10.0, "order_yen": draw(st.integers(0, 3))}
        metrics: dict[str, Any] = {}
        if kind in {Kind.RAKUTEN, Kind.YAHOO, Kind.AMAZON}:
            prices |= {"approach_percent": draw(st.sampled_from([0.0, 10.0, 100.0]))}
            prices |= {"count_yen": draw(st.integers(0, 20)), "beyond_yen": 30}
        if kind in {Kind.YAHOO, Kind.AMAZON}:
            prices |= {"breach_yen": draw(st.integers(0, 300))}
            metrics = {"limit_percent": draw(st.sampled_from([1.0, 2.5, 50.0]))}
        if kind is Kind.RAKUTEN:
            prices |= {"fines_yen": draw(st.lists(st.integers(0, 300), min_size=1, max_size=5))}
            metrics = {"probability": draw(st.sampled_from([0.5, 1.0]))}
        if kind is Kind.SHOPIFY:
            metrics = {"fee_percent": draw(st.sampled_from([0.0, 3.4]))}
        found[channel_id] = shop(
            channel_id,
            kind,
            orders=draw(st.integers(0, 130)),
            counted=draw(st.integers(0, 4)),
            metrics=metrics,
            **prices,
        )
    return found


@st.composite
def offers(draw: st.DrawFn, most: int) -> list[Offer]:
    """Orders of all channels, some alike, some whose listing closes with them."""
    found = []
    for order_id in range(1, draw(st.integers(1, most)) + 1):
        channel_id = draw(st.integers(1, len(KINDS)))
        shelf = None
        if KINDS[channel_id - 1] is Kind.YAHOO:
            place = draw(st.integers(1, 2))
            shelf = Closing(
                listing_id=10 * channel_id + place, units_per_day=2.0 * place, unit_yen=500
            )
        found.append(
            offer(
                order_id,
                channel_id,
                minutes_old=draw(st.integers(0, 5)),
                units=draw(st.integers(1, 4)),
                value_yen=draw(st.sampled_from([0, 100, 1000, 1010, 2500])),
                weighs=draw(st.booleans()),
                shelf=shelf,
                ship_by=draw(st.none() | st.integers(-2, 5).map(lambda d: NOW + timedelta(d))),
            )
        )
    return found


def by_trying_all(found: list[Offer], known: dict[int, Shop], units: int) -> list[int]:
    """The least set, as the definition has it: yen, orders, and then the oldest are spared."""
    aged = sorted(found, key=lambda each: (each.ordered_at, each.order_id), reverse=True)
    need = min(units, sum(each.units for each in found))
    least = None
    for size in range(1, len(aged) + 1):
        for some in combinations(range(len(aged)), size):
            orders = [aged[place] for place in some]
            if sum(each.units for each in orders) < need:
                continue
            yen = costs.price(orders, known, NOW).total_yen
            worth = (yen, size, sorted(some, reverse=True))
            if least is None or worth < least[0]:
                least = (worth, [each.order_id for each in orders])
    assert least is not None
    return least[1]


def ids(chosen: tuple[Offer, ...]) -> list[int]:
    return [each.order_id for each in chosen]


@settings(max_examples=150, deadline=None)
@given(found=offers(7), known=shops(), units=st.integers(1, 12))
def test_search_and_table_choose_what_trying_all_sets_chooses(
    found: list[Offer], known: dict[int, Shop], units: int
) -> None:
    expected = by_trying_all(found, known, units)
    by_search = choice._choose(found, known, units, NOW, search_max=99)
    by_table = choice._choose(found, known, units, NOW, search_max=-1)

    assert ids(by_search.orders) == expected
    assert ids(by_table.orders) == expected
    assert by_search.runner_up == by_table.runner_up
    assert (by_search.method, by_table.method) == ("search", "table")


@settings(max_examples=60, deadline=None)
@given(found=offers(6), known=shops(), units=st.integers(1, 8))
def test_the_runner_up_is_the_best_set_that_spares_a_chosen_order(
    found: list[Offer], known: dict[int, Shop], units: int
) -> None:
    chosen = choice.choose(found, known, units, NOW)
    need = min(units, sum(each.units for each in found))
    others = [
        costs.price(some, known, NOW).total_yen
        for size in range(1, len(found) + 1)
        for some in combinations(found, size)
        if not set(chosen.orders) <= set(some) and sum(each.units for each in some) >= need
    ]

    if others:
        assert chosen.runner_up_cost is not None
        assert chosen.runner_up_cost.total_yen == min(others) >= chosen.cost.total_yen
    else:
        assert chosen.runner_up == ()


@settings(max_examples=100, deadline=None)
@given(found=offers(40), known=shops(), units=st.integers(1, 60))
def test_it_never_costs_more_than_the_newest_or_the_last_imported_order(
    found: list[Offer], known: dict[int, Shop], units: int
) -> None:
    chosen = choice.choose(found, known, units, NOW)

    assert chosen.units >= min(units, sum(each.units for each in found))
    for simpler in (choice.newest_first, choice.last_imported):
        other = costs.price(simpler(found, units), known, NOW)
        assert chosen.cost.total_yen <= other.total_yen


@settings(max_examples=60, deadline=None)
@given(found=offers(8), known=shops(), seed=st.integers(0, 9))
def test_what_a_set_costs_does_not_depend_on_its_sequence(
    found: list[Offer], known: dict[int, Shop], seed: int
) -> None:
    shuffled = Random(seed).sample(found, len(found))

    assert costs.price(found, known, NOW).total_yen == costs.price(shuffled, known, NOW).total_yen


def test_the_newest_order_loses_ties() -> None:
    known = {1: shop(1, Kind.RAKUTEN)}
    found = [offer(number, 1, minutes_old=number) for number in range(1, 6)]

    assert ids(choice.choose(found, known, 1, NOW).orders) == [1]
    chosen = choice.choose(found, known, 3, NOW)
    assert ids(chosen.orders) == [1, 2, 3]
    assert ids(chosen.runner_up) == [1, 2, 4]
    assert choice.why_lost(chosen) == "it costs the same, and its orders are older"


def test_each_shop_of_a_kind_has_a_limit_of_its_own() -> None:
    known = {number: shop(number, Kind.AMAZON, orders=41) for number in (1, 2)}
    found = [offer(1, 1), offer(2, 1, minutes_old=1), offer(3, 2, minutes_old=2)]

    chosen = choice.choose(found, known, 2, NOW)

    assert ids(chosen.orders) == [1, 3]
    assert (chosen.cost.limits_crossed, ids(chosen.runner_up)) == ((), [2, 3])
    assert costs.price(found[:2], known, NOW).limits_crossed == ("amazon: 2.5 % in 7 days",)


def test_a_limit_that_is_crossed_already_spares_nobody_else() -> None:
    breached = shop(1, Kind.AMAZON, orders=41, counted=2, beyond_yen=0, count_yen=0)
    known = {1: breached, 2: shop(2, Kind.AMAZON, orders=41)}
    found = [offer(1, 2), offer(2, 1, minutes_old=1)]

    chosen = choice.choose(found, known, 1, NOW)

    assert ids(chosen.orders) == [2]
    assert chosen.cost.limits_crossed == ()
    assert costs.limit_yen(breached, 3, NOW) == (0, 0, 0, 0)


def test_the_reason_why_it_lost_names_every_part_that_differs() -> None:
    known = {1: shop(1, Kind.ECCUBE), 2: shop(2, Kind.ECCUBE, order_yen=900)}
    soon = NOW + timedelta(days=1)
    found = [offer(1, 1, ship_by=soon), offer(2, 2, ship_by=soon, value_yen=2000, minutes_old=1)]

    dearer = choice.choose(found, known, 1, NOW)

    assert choice.why_lost(dearer) == "it costs 700 yen more (handling 400 more, margin 300 more)"
    alone = choice.choose(found[:1], known, 1, NOW)
    assert (alone.runner_up, choice.why_lost(alone)) == ((), "no other orders would cover as much")


def test_nothing_is_given_up_for_nothing() -> None:
    known = {1: shop(1, Kind.RAKUTEN)}

    for found, units in (([], 3), ([offer(1, 1)], 0)):
        chosen = choice.choose(found, known, units, NOW)
        assert (chosen.orders, chosen.runner_up, chosen.cost.total_yen) == ((), (), 0)


def test_of_sets_that_cost_the_same_the_smaller_one_goes() -> None:
    known = {1: shop(1, Kind.ECCUBE, order_yen=0)}
    found = [
        offer(1, 1, value_yen=500),
        offer(2, 1, value_yen=500, minutes_old=1),
        offer(3, 1, value_yen=1000, units=2, minutes_old=9),
    ]

    chosen = choice.choose(found, known, 2, NOW)

    assert (ids(chosen.orders), ids(chosen.runner_up)) == ([3], [1, 2])
    assert choice.why_lost(chosen) == "it costs the same and gives up more orders"


def test_five_hundred_orders_are_chosen_from_in_few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    dice = Random(7)
    known = {number: shop(number, kind, orders=400) for number, kind in enumerate(KINDS, start=1)}
    found = [
        offer(
            number,
            dice.randint(1, len(KINDS)),
            minutes_old=dice.randint(0, 9999),
            units=dice.choice([1, 1, 1, 2, 3]),
            value_yen=dice.randint(500, 9000),
        )
        for number in range(500)
    ]
    steps = Counter[str]()
    keep = choice._keep

    def counted(*arguments: Any) -> None:
        steps["kept"] += 1
        keep(*arguments)

    monkeypatch.setattr(choice, "_keep", counted)

    chosen = choice.choose(found, known, 50, NOW)

    assert (chosen.method, chosen.units >= 50) == ("table", True)
    assert 0 < steps["kept"] <= STEPS_MAX
