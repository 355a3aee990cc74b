"""The desk gives up the orders that cost least: what it weighs, and what the proposal shows."""

from __future__ import annotations

from datetime import timedelta

from inventory.vocabulary import OrderLine, OrderSeen
from tests.desk.conftest import Floor

FEE = {"fee_percent": 3.4}
POINTS = {"points_before": 30, "history_from": "2026-06-01T00:00:00Z", "as_of": "2026-11-20"}


async def priced(floor: Floor) -> None:
    """Every channel has the prices that are assumed by default; Rakuten stands at 30 points."""
    for code in floor.malls:
        await floor.set_channel(code, costs={})
    await floor.set_channel("shopify", metrics=FEE)
    await floor.set_channel("rakuten", metrics=POINTS)


async def test_a_dearer_order_goes_so_that_no_limit_is_crossed(floor: Floor) -> None:
    await priced(floor)
    await floor.receive("MUG", 2)
    await floor.sell("shopify", "o-1", {"MUG": 1})
    await floor.sell("amazon", "o-2", {"MUG": 1})
    await floor.sell("rakuten", "o-3", {"MUG": 1})

    await floor.work()

    assert await floor.states() == {"o-1": "submitted"}
    weighed = await floor.step("weighed")
    assert (weighed["units"], weighed["orders_weighed"], weighed["method"]) == (1, 3, "search")
    assert weighed["orders"] == [
        {"channel": "shopify", "order_ref": "o-1", "units": 1, "cost_yen": 34 + 300 + 500}
    ]
    assert (weighed["cost_yen"], weighed["margin_lost_yen"]) == (834, 300)
    assert weighed["limits_crossed"] == []
    # 30 points and 15 more are past the step at 35: its fine, and half of the way to 55, less
    # what six sevenths of the way to 35 have cost already.
    assert weighed["cost_yen_newest_first"] == 112_529
    assert weighed["cost_yen_last_imported"] == weighed["cost_yen_newest_first"]
    assert weighed["prices_as_of"]["rakuten"] == "2022-02-16"
    runner_up = weighed["runner_up"]
    assert [order["order_ref"] for order in runner_up["orders"]] == ["o-3"]
    assert runner_up["limits_crossed"] == ["rakuten: 35 points"]
    assert runner_up["why"] == (
        "it costs 111695 yen more (limit 111729 more, fee 34 less);"
        " it would cross rakuten: 35 points"
    )
    row = await floor.cancellation("o-1")
    assert row.cost is not None
    assert (row.cost["fee_yen"], row.cost["margin_yen"], row.cost["total_yen"]) == (34, 300, 834)
    assert row.runner_up == runner_up


async def test_the_whole_order_is_weighed_and_the_part_is_shown(floor: Floor) -> None:
    await priced(floor)
    await floor.receive("MUG", 1)
    await floor.receive("TEE", 9)
    await floor.sell("shopify", "o-1", {"MUG": 1})
    await floor.sell("shopify", "o-2", {"MUG": 1, "TEE": 9})

    await floor.work()

    assert await floor.states() == {"o-1": "submitted"}
    runner_up = (await floor.step("weighed"))["runner_up"]
    assert runner_up["cost_yen"] == 340 + 3000 + 500
    assert runner_up["why"] == "it costs 3006 yen more (margin 2700 more, fee 306 more)"
    await floor.set_channel("shopify", desk_policy="review")
    await floor.damage("TEE", 9)
    await floor.work()
    cost = (await floor.cancellation("o-2")).cost
    assert cost is not None
    assert cost["part_saves_yen"] == 34 + 300


async def test_an_order_that_is_due_soon_is_spared(floor: Floor) -> None:
    await priced(floor)
    await floor.receive("MUG", 1)
    due = floor.clock.now()
    await floor.sell("shopify", "o-1", ship_by=due + timedelta(days=9))
    await floor.sell("shopify", "o-2", ship_by=due + timedelta(days=1, hours=1))

    await floor.work()

    assert await floor.states() == {"o-1": "submitted"}


async def test_sales_lost_while_yahoo_keeps_the_item_closed_are_part_of_the_cost(
    floor: Floor,
) -> None:
    await priced(floor)
    await floor.set_channel("yahoo", costs={"reopen_hours": 72})
    await floor.receive("MUG", 60)
    await floor.sell("yahoo", "o-1", {"MUG": 30})
    await floor.sell("yahoo", "o-2", {"MUG": 30})
    await floor.damage("MUG", 60)

    await floor.work()

    # 60 units in 30 days: 6 units in three days, 1,000 yen each, 30 % of it margin; paid once.
    weighed = await floor.step("weighed")
    assert weighed["cost"]["closed_yen"] == 1800
    assert [order["order_ref"] for order in weighed["orders"]] == ["o-2", "o-1"]


async def test_when_the_shortage_shrinks_the_dearest_proposals_are_taken_back(
    floor: Floor,
) -> None:
    await priced(floor)
    for mall in floor.malls:
        await floor.set_channel(mall, desk_policy="review")
    await floor.receive("MUG", 3)
    await floor.receive("TEE", 3)
    await floor.sell("shopify", "o-1")
    await floor.sell("amazon", "o-2")
    await floor.sell("shopify", "o-3", {"MUG": 1, "TEE": 3})
    await floor.damage("MUG", 3)
    await floor.work()
    assert set((await floor.states()).values()) == {"proposed"}

    await floor.receive("MUG", 1)
    await floor.work()
    assert await floor.states() == {"o-1": "proposed", "o-2": "refused", "o-3": "proposed"}
    await floor.receive("MUG", 1)
    await floor.work()
    assert await floor.states() == {"o-1": "proposed", "o-2": "refused", "o-3": "refused"}


async def test_a_price_that_the_channel_does_not_tell_is_assumed(floor: Floor) -> None:
    await priced(floor)
    await floor.receive("MUG", 1)
    await floor.sell("shopify", "o-1")
    now = floor.clock.now()
    untold = (OrderLine(line_ref="1", channel_sku="MUG", quantity=1),)
    order = OrderSeen(order_ref="o-2", ordered_at=now, observed_at=now, lines=untold)
    await floor.pull("shopify", order)

    await floor.work()

    assert await floor.states() == {"o-1": "submitted"}
    assert (await floor.step("weighed"))["runner_up"]["cost"]["margin_yen"] == 900
