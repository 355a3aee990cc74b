"""Which orders are given up for a shortage, and which never are."""

from __future__ import annotations

from tests.desk.conftest import Floor


async def test_whole_orders_are_given_up_until_the_shortage_is_covered(floor: Floor) -> None:
    await floor.receive("MUG", 6)
    await floor.sell("yahoo", "o-1", {"MUG": 1})
    await floor.sell("rakuten", "o-2", {"MUG": 3})
    await floor.sell("shopify", "o-3", {"MUG": 2})
    await floor.damage("MUG", 4)

    await floor.work()
    floor.later(3)
    await floor.work()

    assert await floor.states() == {"o-2": "confirmed", "o-3": "confirmed"}
    assert await floor.stock() == (2, 1)


async def test_one_order_goes_where_two_newer_ones_would_have_to(floor: Floor) -> None:
    await floor.receive("MUG", 6)
    await floor.sell("yahoo", "o-1", {"MUG": 1})
    await floor.sell("rakuten", "o-2", {"MUG": 3})
    await floor.sell("shopify", "o-3", {"MUG": 2})
    await floor.damage("MUG", 3)

    await floor.work()

    assert await floor.states() == {"o-2": "submitted"}


async def test_one_order_covers_two_cases(floor: Floor) -> None:
    await floor.receive("MUG", 1)
    await floor.receive("TEE", 1)
    await floor.sell("yahoo", "o-1", {"MUG": 1, "TEE": 1})
    await floor.sell("rakuten", "o-2", {"MUG": 1, "TEE": 1})

    await floor.work()
    floor.later(3)
    await floor.work()

    assert await floor.states() == {"o-2": "confirmed"}
    assert [(await floor.case(sku)).state for sku in ("MUG", "TEE")] == ["closed", "closed"]
    assert (await floor.stock("MUG"), await floor.stock("TEE")) == ((1, 1), (1, 1))


async def test_four_proposals_show_what_they_add_up_to(floor: Floor) -> None:
    await floor.set_channel("rakuten", desk_policy="review")
    await floor.receive("MUG", 4)
    for number in range(1, 5):
        await floor.sell("rakuten", f"o-{number}")
    await floor.damage("MUG", 4)

    await floor.work()

    foreseen = []
    for number in range(4, 0, -1):
        row = await floor.cancellation(f"o-{number}")
        assert row.metric_before is not None
        assert row.metric_after is not None
        foreseen.append((row.metric_before["value"], row.metric_after["value"]))
    assert foreseen == [(0, 15), (15, 30), (30, 45), (45, 60)]


async def test_orders_that_may_not_be_cancelled_are_passed_over(floor: Floor) -> None:
    await floor.receive("MUG", 1)
    await floor.sell("shopify", "o-1")
    await floor.sell("amazon", "o-2", cancellable=False)
    await floor.sell("amazon", "o-3", fulfilled_by_channel=True)

    await floor.work()

    assert await floor.states() == {"o-1": "submitted"}


async def test_a_pending_order_is_waited_for_before_a_person_is_called(floor: Floor) -> None:
    await floor.sell("amazon", "o-1", cancellable=False)

    await floor.work()
    assert "needs_person" not in await floor.steps()

    floor.later(30)
    await floor.pull("amazon", floor.malls["amazon"].change("o-1", cancellable=True))
    await floor.work()
    assert await floor.states() == {"o-1": "submitted"}


async def test_an_order_that_stays_pending_calls_a_person(floor: Floor) -> None:
    await floor.sell("amazon", "o-1", cancellable=False)
    await floor.work()

    floor.later(301)
    await floor.work()

    assert (await floor.step("needs_person"))["uncovered"] == 1


async def test_an_order_whose_buyer_has_asked_waits_for_a_person(floor: Floor) -> None:
    await floor.sell("amazon", "o-1", buyer_asked_to_cancel=True)

    await floor.work(2)

    assert await floor.states() == {"o-1": "proposed"}
    assert (await floor.cancellation("o-1")).reason == "out_of_stock"
    assert (await floor.step("chosen"))["buyer_asked"] is True


async def test_an_own_stores_orders_are_a_persons_to_end(floor: Floor) -> None:
    await floor.set_channel("shopify", kind="own_store")
    await floor.sell("shopify", "o-1")

    await floor.work()

    assert await floor.states() == {}
    assert (await floor.step("needs_person"))["shortage"] == 1


async def test_a_smaller_shortage_takes_back_the_oldest_of_orders_that_cost_the_same(
    floor: Floor,
) -> None:
    await floor.receive("MUG", 3)
    for number, mall in enumerate(("yahoo", "rakuten", "amazon"), start=1):
        await floor.set_channel(mall, desk_policy="review")
        await floor.sell(mall, f"o-{number}")
    await floor.damage("MUG", 3)
    await floor.work()
    assert await floor.states() == dict.fromkeys(("o-1", "o-2", "o-3"), "proposed")

    await floor.receive("MUG", 2)
    await floor.work()

    assert await floor.states() == {"o-1": "refused", "o-2": "refused", "o-3": "proposed"}
