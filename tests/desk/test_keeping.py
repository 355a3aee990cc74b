"""What is proposed stays only where no set of orders costs less: compared with trying all sets."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from inventory.desk import choice, costs, keeping
from inventory.desk.costs import Offer, Shop
from tests.desk.offers import NOW
from tests.desk.test_least_cost import offers, shops


def covering(found: list[Offer], units: int) -> list[tuple[Offer, ...]]:
    """All sets that cover so many units, or as many as there are."""
    need = min(units, sum(each.units for each in found))
    return [
        some
        for size in range(len(found) + 1)
        for some in combinations(found, size)
        if sum(each.units for each in some) >= need
    ]


@settings(max_examples=120, deadline=None)
@given(
    found=offers(6),
    known=shops(),
    units=st.integers(0, 10),
    proposed=st.frozensets(st.integers(1, 6), max_size=4),
)
def test_the_least_set_is_chosen_and_proposals_stay_where_that_costs_nothing(
    found: list[Offer], known: dict[int, Shop], units: int, proposed: frozenset[int]
) -> None:
    held = {each.order_id for each in found} & proposed
    priced = {
        frozenset(each.order_id for each in some): costs.price(some, known, NOW).total_yen
        for some in covering(found, units)
    }

    anew = keeping.choose_anew(found, known, units, NOW, proposed=proposed)

    chosen = frozenset(each.order_id for each in anew.choice.orders)
    least = min(priced.values())
    assert priced[chosen] == anew.choice.cost.total_yen == least
    assert not any(some < chosen for some in priced)
    if held:
        assert anew.as_proposed_yen == min(yen for some, yen in priced.items() if held <= some)
    # Of sets that keep all of them, or only some of them and nothing else, a least one is kept.
    keeps = [
        some
        for some, yen in priced.items()
        if yen == least and (held <= some or some <= held) and not any(o < some for o in priced)
    ]
    if held and keeps:
        assert held <= chosen or chosen <= held
    # What is chosen next, once the others are taken back, takes nothing back any more.
    again = keeping.choose_anew(found, known, units, NOW, proposed=held & chosen)
    assert held & chosen <= {each.order_id for each in again.choice.orders}


@settings(max_examples=60, deadline=None)
@given(found=offers(6), known=shops(), units=st.integers(1, 10))
def test_without_proposals_it_is_the_plain_choice(
    found: list[Offer], known: dict[int, Shop], units: int
) -> None:
    anew = keeping.choose_anew(found, known, units, NOW, proposed=())

    assert anew.choice == choice.choose(found, known, units, NOW)
