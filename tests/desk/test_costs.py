"""What giving up an order costs at each marketplace, part by part, in exact yen."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from inventory.desk import choice, costs
from inventory.desk.costs import Closing
from inventory.desk.prices import prices_of
from inventory.errors import SettingWrong
from inventory.vocabulary import Kind
from tests.desk.offers import NOW, offer, shop


@pytest.mark.parametrize(
    ("orders", "free"), [(0, 0), (1, 0), (39, 0), (40, 0), (41, 1), (80, 1), (81, 2), (121, 3)]
)
def test_amazon_bears_the_headroom_and_then_the_breach(orders: int, free: int) -> None:
    amazon = shop(1, Kind.AMAZON, orders=orders, breach_yen=1000, count_yen=0, beyond_yen=50)

    ladder = costs.limit_yen(amazon, free + 2, NOW)

    nearing = [100 * used // (free + 1) for used in range(free + 1)]
    assert ladder == (*nearing, 1000, 1050)
    assert costs.crossed(amazon, free, NOW) == []
    assert costs.crossed(amazon, free + 1, NOW) == ["amazon: 2.5 % in 7 days"]


def test_what_is_counted_already_uses_up_the_headroom() -> None:
    amazon = shop(1, Kind.AMAZON, orders=81, counted=2, breach_yen=900, count_yen=7)

    assert costs.limit_yen(amazon, 1, NOW) == (0, 900 - 60 + 7)


def test_rakutens_points_cost_the_way_to_the_next_step_and_its_fine() -> None:
    rakuten = shop(1, Kind.RAKUTEN, count_yen=0)

    ladder = costs.limit_yen(rakuten, 4, NOW)

    # 15, 30, 45 and 60 points; the steps are 35 and 55, then 75.
    assert ladder == (0, 4285, 8571, 100_000 + 20_000, 500_000 + 17_500)
    assert costs.crossed(rakuten, 2, NOW) == []
    assert costs.crossed(rakuten, 4, NOW) == ["rakuten: 35 points", "rakuten: 55 points"]


def test_beyond_rakutens_last_step_each_cancellation_has_its_price() -> None:
    rakuten = shop(1, Kind.RAKUTEN, counted=6, count_yen=0, beyond_yen=3000)

    # 90, 105 and 120 points: a third of 15 lies beyond 100 at first.
    nearing = 300_000 * 10 // 20
    assert costs.limit_yen(rakuten, 2, NOW) == (0, 3_000_000 - nearing + 1000, 2_850_000 + 4000)
    assert costs.crossed(rakuten, 1, NOW) == ["rakuten: 100 points"]


def test_yahoo_goes_by_the_shops_own_limit_and_without_one_by_the_count() -> None:
    without = shop(1, Kind.YAHOO, orders=100, counted=1, count_yen=40)
    own = shop(
        1, Kind.YAHOO, orders=100, counted=1, metrics={"limit_percent": 2.0}, breach_yen=5000
    )

    assert costs.limit_yen(without, 2, NOW) == (0, 40, 80)
    assert costs.limit_yen(own, 1, NOW) == (0, 5000 - 250 + 300)
    assert costs.crossed(without, 9, NOW) == []
    assert costs.crossed(own, 1, NOW) == ["yahoo: 2 % in 30 days"]


def test_yahoos_closed_listing_loses_sales_once_however_many_orders_go() -> None:
    yahoo = shop(1, Kind.YAHOO, reopen_hours=36, margin_percent=20.0, count_yen=0, order_yen=0)
    shelf = Closing(listing_id=5, units_per_day=4.0, unit_yen=1500)
    other = Closing(listing_id=6, units_per_day=2.0, unit_yen=1000)
    orders = [
        offer(1, 1, shelf=shelf, value_yen=0, closes=(other,)),
        offer(2, 1, shelf=shelf, value_yen=0),
    ]

    found = costs.price(orders, {1: yahoo}, NOW)

    # 36 hours: 6 units of 1,500 yen and 3 of 1,000 yen, a fifth of it margin.
    assert [order.closed_yen for order in found.orders] == [600 + 1800, 0]
    elsewhere = shop(1, Kind.RAKUTEN)
    assert costs.price(orders, {1: elsewhere}, NOW).part("closed_yen") == 0


def test_shopify_keeps_the_fee_of_what_was_captured() -> None:
    known = shop(1, Kind.SHOPIFY, metrics={"fee_percent": 3.4})
    assumed = shop(1, Kind.SHOPIFY)
    later = shop(1, Kind.SHOPIFY, metrics={"captured": "at_shipment"})
    order = offer(1, 1, value_yen=10_000)

    assert [costs.own_cost(order, each, NOW).fee_yen for each in (known, assumed, later)] == [
        *(340, 390, 0),
    ]
    assert costs.limit_yen(known, 5, NOW) == (0,) * 6


def test_margin_is_lost_of_the_whole_order_and_the_part_is_shown() -> None:
    store = shop(1, Kind.SHOPIFY, margin_percent=25.0, unpriced_yen=2000)
    basket = offer(1, 1, value_yen=6000, unpriced=2, part_yen=1000, part_unpriced=1)

    cost = costs.own_cost(basket, store, NOW)

    assert (cost.margin_yen, cost.fee_yen) == (2500, 390)
    assert costs.saved_by_part(basket, store) == 1750 + 273
    assert cost.as_of == date(2026, 11, 20)


@pytest.mark.parametrize(
    ("days", "late_yen"), [(None, 0), (3.5, 0), (2.5, 200), (0.5, 600), (-0.5, 800), (-30, 2000)]
)
def test_the_nearer_the_promised_date_the_more_it_costs(days: float | None, late_yen: int) -> None:
    ship_by = None if days is None else NOW + timedelta(days=days)
    store = shop(1, Kind.ECCUBE, notice_days=3, late_yen=200)

    assert costs.own_cost(offer(1, 1, ship_by=ship_by), store, NOW).late_yen == late_yen


def test_the_order_that_would_cross_a_limit_is_spared_for_a_dearer_one() -> None:
    known = {
        1: shop(1, Kind.AMAZON, orders=40),
        2: shop(2, Kind.RAKUTEN, counted=1),
        3: shop(3, Kind.SHOPIFY, metrics={"fee_percent": 3.4}),
    }
    newest = offer(3, 1)
    found = [newest, offer(2, 2, minutes_old=5), offer(1, 3, minutes_old=9, value_yen=9000)]

    chosen = choice.choose(found, known, 1, NOW)

    assert [order.order_id for order in chosen.orders] == [1]
    assert [order.order_id for order in chosen.runner_up] == [2]
    assert choice.why_lost(chosen) == (
        "it costs 1880 yen more (limit 4586 more, fee 306 less, margin 2400 less)"
    )
    before = costs.price([newest], known, NOW)
    assert before.limits_crossed == ("amazon: 2.5 % in 7 days",)
    assert chosen.cost.total_yen == 306 + 2700 + 500 < before.total_yen


def test_a_price_without_its_date_or_of_another_kind_is_refused() -> None:
    for wrong in ({"breach_yen": 5}, {"as_of": "2026-11-01", "fee_percent": 3.0}):
        with pytest.raises(SettingWrong):
            prices_of(Kind.AMAZON, wrong)
    assert prices_of(Kind.AMAZON, {"margin_percent": 12.5}).margin_percent == 12.5
