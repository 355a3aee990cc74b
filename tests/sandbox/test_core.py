"""What all sandbox marketplaces share: limits, faults, books."""

from __future__ import annotations

import random

import pytest

from channels.sandbox.faults import Fault, Faults
from channels.sandbox.limits import DailyQuota, Spacing, TokenBucket
from channels.sandbox.market import NotAllowed, NotDisplayed, Services
from tests.sandbox.hand_clock import HandClock
from tests.sandbox.stall import Stall


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def stall(clock: HandClock) -> Stall:
    dice = random.Random(7)
    market = Stall(Services(clock=clock, faults=Faults(dice), rng=dice))
    market.list_item("mug", 5, price=1200)
    market.list_item("tea/cup", 3, price=800)
    return market


def test_token_bucket_starts_full_and_fills_at_its_rate() -> None:
    bucket = TokenBucket("b", rate_per_s=2.0, burst=3, tick=10.0)

    assert [bucket.take(10.0) for _ in range(4)] == [True, True, True, False]
    assert bucket.take(10.4) is False
    assert bucket.take(10.5) is True
    assert (bucket.used, bucket.refused, bucket.permitted(12.0)) == (4, 2, 7)


def test_token_bucket_charges_by_cost_and_takes_back() -> None:
    bucket = TokenBucket("b", rate_per_s=50.0, burst=100, tick=0.0)

    assert bucket.take(0.0, cost=80) is True
    assert bucket.take(0.0, cost=30) is False
    bucket.give_back(20)
    assert bucket.level(0.0) == 40
    assert bucket.level(60.0) == 100


def test_spacing_refuses_what_comes_too_early_and_blocks_once() -> None:
    plain = Spacing("s", seconds=1.0, tick=0.0)
    assert [plain.take(tick) for tick in (0.0, 0.9, 1.0)] == [True, False, True]

    blocking = Spacing("s", seconds=1.0, tick=0.0, block_seconds=2.0)
    assert [blocking.take(t) for t in (0.0, 0.5, 2.4, 2.5)] == [True, False, False, True]
    assert (blocking.used, blocking.refused, blocking.permitted(2.5)) == (2, 2, 3)


def test_daily_quota_ends_and_begins_anew() -> None:
    quota = DailyQuota("d", per_day=2, tick=0.0)
    assert [quota.take(t) for t in (0, 1, 2, 86_399, 86_400)] == [True, True, False, False, True]
    assert quota.permitted(86_400) == 4


def test_faults_strike_the_calls_and_endpoint_they_are_set_for() -> None:
    faults = Faults(random.Random(1))
    faults.replace({"error_rate": Fault(value=1, calls=2, endpoint="sell")})

    assert faults.hit("error_rate", "read") is False
    assert [faults.hit("error_rate", "sell") for _ in range(3)] == [True, True, False]
    with pytest.raises(ValueError, match="no such fault: eror_rate"):
        faults.replace({"eror_rate": Fault()})


def test_fault_rates_are_repeatable_by_the_seed() -> None:
    def strikes() -> list[bool]:
        faults = Faults(random.Random(5))
        faults.replace({"throttle_rate": Fault(value=0.5)})
        return [faults.hit("throttle_rate", "any") for _ in range(40)]

    assert strikes() == strikes()
    assert 10 < sum(strikes()) < 30


def test_a_shopper_buys_what_is_displayed_and_no_more(stall: Stall) -> None:
    order = stall.place([("mug", 2), ("mug", 1), ("tea/cup", 1)])

    assert [(line.key, line.quantity, line.price) for line in order.lines] == [
        ("mug", 3, 1200),
        ("tea/cup", 1, 800),
    ]
    assert (stall.listings["mug"].displayed, stall.listings["tea/cup"].displayed) == (2, 2)
    with pytest.raises(NotDisplayed):
        stall.place([("tea/cup", 1), ("mug", 3)])
    stall.listings["mug"].closed = True
    with pytest.raises(NotDisplayed):
        stall.place([("mug", 1)])
    assert (stall.listings["mug"].displayed, stall.listings["tea/cup"].displayed) == (2, 2)
    assert len(stall.orders) == 1


def test_a_cancelled_order_restocks_only_when_asked(stall: Stall) -> None:
    first, second = stall.place([("mug", 2)]), stall.place([("mug", 1)])

    stall.cancel(first.ref, by="seller", code="8")
    assert stall.listings["mug"].displayed == 2
    stall.cancel(second.ref, by="buyer", code="1", restock=True)
    assert stall.listings["mug"].displayed == 3

    assert [(w.key, w.before, w.after, w.mode) for w in stall.writes] == [
        ("mug", 2, 3, "order-restock")
    ]
    with pytest.raises(NotAllowed):
        stall.cancel(first.ref, by="buyer", code="1", restock=True)
    assert stall.listings["mug"].displayed == 3
    assert (first.cancelled_by, first.lines[0].cancelled, first.restocked) == ("seller", 2, False)


def test_a_shipped_order_is_shipped_once(stall: Stall) -> None:
    order = stall.place([("mug", 2)])
    stall.ship(order.ref)

    assert (order.state, order.lines[0].shipped) == ("shipped", 2)
    with pytest.raises(NotAllowed):
        stall.ship(order.ref)
    with pytest.raises(NotAllowed):
        stall.buyer_cancel(order.ref)
    assert order.cancelled_at is None


def test_orders_become_visible_late_and_twice(stall: Stall, clock: HandClock) -> None:
    order = stall.place([("mug", 1)])
    assert stall.visible_orders("list") == []
    clock.pass_seconds(1)
    assert stall.visible_orders("list") == [order]

    stall.faults.replace({"order_delay_s": Fault(value=10)})
    assert stall.visible_orders("list") == []
    stall.faults.replace({"repeat_orders": Fault(calls=1)})
    assert stall.visible_orders("list") == [order, order]
    assert stall.visible_orders("list") == [order]
