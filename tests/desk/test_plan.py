"""What could cover a shortage: dates, promises already made, and no unit counted twice."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from inventory.clock import JST
from inventory.desk.mitigation_plan import (
    Elsewhere,
    Seen,
    Supply,
    UnderWay,
    Waiter,
    plan,
    ready_at,
)
from tests.desk.offers import NOW

TODAY = date(2026, 11, 21)


def waiter(
    order_id: int,
    units: int,
    days: float,
    *,
    proposed: bool = False,
    cancellable: bool = True,
) -> Waiter:
    """An order whose ship-by date is the Tokyo midnight so many days after today's."""
    moment = datetime(2026, 11, 21, tzinfo=JST) + timedelta(days=days)
    return Waiter(order_id, f"o-{order_id}", units, moment, proposed, cancellable)


def due(units: int, days: int, name: str = "po-1") -> Supply:
    """A supply due so many days after today."""
    return Supply(name, units, TODAY + timedelta(days=days))


def covered(seen: Seen, units: int = 9) -> int:
    return plan(seen, units, NOW).units


def test_what_is_due_on_a_day_can_be_shipped_from_the_midnight_after_it() -> None:
    assert ready_at(TODAY) == datetime(2026, 11, 22, tzinfo=JST)
    assert covered(Seen(supplies=(due(5, 2),), waiters=(waiter(1, 1, 3),))) == 1
    assert covered(Seen(supplies=(due(5, 2),), waiters=(waiter(1, 1, 2.99),))) == 0


def test_no_more_than_the_shortage_the_supply_and_the_orders_allow() -> None:
    orders = (waiter(1, 2, 5), waiter(2, 2, 6))
    assert covered(Seen(supplies=(due(9, 1),), waiters=orders)) == 4
    assert covered(Seen(supplies=(due(9, 1),), waiters=orders), 3) == 3
    assert covered(Seen(supplies=(due(1, 1),), waiters=orders)) == 1
    assert covered(Seen(waiters=orders)) == 0


def test_supply_that_is_late_or_sold_as_pre_orders_is_not_relied_on() -> None:
    orders = (waiter(1, 4, 5),)
    late = plan(Seen(supplies=(due(4, -1),), waiters=orders), 4, NOW)
    assert (late.units, late.late) == (0, ("po-1",))
    sold = Seen(supplies=(due(3, 1), due(2, 2, "po-2")), waiters=orders, ahead=3)
    assert [each.supply_ref for each in plan(sold, 9, NOW).supplies] == ["po-2"]
    assert covered(sold) == 2


def test_the_order_with_the_most_time_waits_after_one_that_cannot_be_given_up() -> None:
    orders = (waiter(1, 1, 3), waiter(2, 1, 9), waiter(3, 1, 2, cancellable=False))
    found = plan(Seen(supplies=(due(2, 1),), waiters=orders), 9, NOW)
    assert [each.order_id for each in found.waiters] == [3, 2]


def test_a_proposal_is_taken_back_only_for_supply_that_replaces_it_whole() -> None:
    orders = (waiter(1, 2, 5, proposed=True),)
    assert covered(Seen(supplies=(due(1, 1),), waiters=orders)) == 0
    assert covered(Seen(supplies=(due(2, 1),), waiters=orders)) == 2


def test_units_under_way_come_before_those_that_must_be_asked_for() -> None:
    seen = Seen(
        elsewhere=(Elsewhere("annex", 3),),
        under_way=(UnderWay("t-1", 2, NOW), UnderWay("t-0", 9, NOW - timedelta(days=4))),
    )
    found = plan(seen, 4, NOW)
    assert [(each.transfer_ref, each.units) for each in found.transfers] == [("t-1", 2)]
    assert found.elsewhere == (Elsewhere("annex", 2),)
    assert plan(Seen(elsewhere=seen.elsewhere, asked=False), 4, NOW).units == 0


WAITERS = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 6)), max_size=4)
SUPPLIES = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 5)), max_size=3)


@settings(max_examples=100, deadline=None)
@given(orders=WAITERS, supplies=SUPPLIES, units=st.integers(0, 8))
def test_as_many_orders_wait_as_any_sequence_of_them_would_let(
    orders: list[tuple[int, int]], supplies: list[tuple[int, int]], units: int
) -> None:
    """Each unit of supply goes to one unit of an order that is due no earlier."""
    waiters = tuple(waiter(n, many, days) for n, (many, days) in enumerate(orders))
    expected = tuple(due(many, days, f"po-{n}") for n, (many, days) in enumerate(supplies))

    found = plan(Seen(supplies=expected, waiters=waiters), units, NOW)

    most = 0
    for sequence in permutations([day for many, day in orders for _ in range(many)][:5]):
        left = sorted(day + 1 for many, day in supplies for _ in range(many))
        fits = 0
        for day in sequence:
            usable = [ready for ready in left if ready <= day]
            if usable:
                left.remove(usable[-1])
                fits += 1
        most = max(most, fits)
    if sum(many for many, _ in orders) <= 5:
        assert found.units == min(most, units)
    for each in found.waiters:
        in_time = [s for s in found.supplies if ready_at(s.due_on) <= each.ship_by]
        assert sum(s.units for s in in_time) >= each.units
