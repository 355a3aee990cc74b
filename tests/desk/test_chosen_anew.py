"""A case that grows or shrinks is chosen anew as a whole, for as long as nobody has decided."""

from __future__ import annotations

from sqlalchemy import select

from inventory import oversells
from inventory.desk import messages
from inventory.desk.cancellations import decide_cancellation
from inventory.models import OversellStep
from tests.desk.conftest import Floor
from tests.desk.test_figures import read

# An order costs a tenth of its worth, and nothing else: 100 yen for each unit of any SKU.
TENTH = {
    "as_of": "2026-11-20",
    "margin_percent": 10.0,
    "order_yen": 0,
    "late_yen": 0,
    "fee_percent": 0.0,
}


async def shelf(floor: Floor, *orders: dict[str, int], policy: str = "review") -> None:
    """These orders at Shopify, o-1 the oldest, and just enough of everything for them."""
    await floor.set_channel("shopify", costs=TENTH, metrics={"fee_percent": 0.0})
    for code in floor.malls:
        await floor.set_channel(code, desk_policy=policy)
    for sku in ("MUG", "TEE"):
        units = sum(lines.get(sku, 0) for lines in orders)
        if units:
            await floor.receive(sku, units)
    for number, lines in enumerate(orders, start=1):
        await floor.sell("shopify", f"o-{number}", lines)


async def tend(floor: Floor) -> int:
    """One look at the one case."""
    case = await floor.case()
    async with floor.database.transaction() as session:
        return await oversells.tend(session, case.id, floor.clock.now())


# The first unit is cheapest as o-1; for two, o-2 alone is cheaper than o-1 with any other.
ONE, TWO, DEAR = {"MUG": 1}, {"MUG": 2}, {"MUG": 1, "TEE": 3}


async def test_a_shortage_that_grows_is_covered_by_the_least_set_for_the_whole(
    floor: Floor,
) -> None:
    await shelf(floor, ONE, TWO, DEAR)
    await floor.damage("MUG", 1)
    await floor.work()
    assert await floor.states() == {"o-1": "proposed"}

    await floor.damage("MUG", 1)
    assert await tend(floor) == 1
    # Taken back in one round, and made in the next: a worker may die in between.
    assert await floor.states() == {"o-1": "refused"}
    await floor.work()

    assert await floor.states() == {"o-1": "refused", "o-2": "proposed"}
    taken_back = await floor.step("withdrawn")
    assert (taken_back["cost_yen"], taken_back["cost_yen_before"]) == (200, 300)
    assert taken_back["why"] == "other orders cost less together: 200 yen, 300 yen with this"
    assert await floor.messages("shipping.release") == ["o-1"]
    assert await floor.messages("shipping.hold") == ["o-1", "o-2"]
    first, second = await floor.rows(
        select(OversellStep.detail).where(OversellStep.step == "weighed").order_by(OversellStep.id)
    )
    assert (first["units"], first["cost_yen"]) == (1, 100)
    assert (second["units"], second["cost_yen"], second["decided_before"]) == (2, 200, [])
    assert [order["order_ref"] for order in second["orders"]] == ["o-2"]
    told = await read(floor)
    assert (told.chosen, told.cost_yen, told.margin_lost_yen) == (("shopify/o-2",), 200, 200)
    steps = await floor.steps()
    await floor.work(3)
    assert await floor.steps() == steps


async def test_a_shortage_that_shrinks_is_covered_by_the_least_set_of_all_orders(
    floor: Floor,
) -> None:
    await shelf(floor, ONE, TWO, DEAR)
    await floor.damage("MUG", 2)
    await floor.work()
    assert await floor.states() == {"o-2": "proposed"}

    await floor.receive("MUG", 1)
    await floor.work()

    assert await floor.states() == {"o-1": "proposed", "o-2": "refused"}
    await floor.receive("MUG", 1)
    await floor.work(2)
    assert set((await floor.states()).values()) == {"refused"}
    assert (await floor.case()).state == "closed"


async def test_what_is_proposed_stays_where_others_cost_the_same(floor: Floor) -> None:
    await shelf(floor, ONE, TWO, ONE)
    await floor.damage("MUG", 1)
    await floor.work()
    assert await floor.states() == {"o-3": "proposed"}

    await floor.damage("MUG", 1)
    await floor.work()

    # Alone, o-2 would do at the same cost, and as one order instead of two.
    assert await floor.states() == {"o-1": "proposed", "o-3": "proposed"}
    assert "withdrawn" not in await floor.steps()
    runner_up = (await floor.cancellation("o-3")).runner_up
    assert runner_up is not None
    assert [order["order_ref"] for order in runner_up["orders"]] == ["o-2"]
    assert runner_up["why"] == "it costs the same, and what is proposed stays"
    assert runner_up == (await floor.cancellation("o-1")).runner_up


async def test_what_a_person_has_approved_stays_and_the_rest_comes_on_top(floor: Floor) -> None:
    await shelf(floor, ONE, TWO, DEAR)
    await floor.damage("MUG", 1)
    await floor.work()
    await floor.decide("o-1", approve=True)

    await floor.damage("MUG", 1)
    await floor.work()

    assert await floor.states() == {"o-1": "submitted", "o-2": "proposed"}
    last = (
        await floor.rows(
            select(OversellStep.detail)
            .where(OversellStep.step == "weighed")
            .order_by(OversellStep.id.desc())
        )
    )[0]
    assert (last["units"], last["decided_before"]) == (1, ["shopify/o-1"])
    told = await read(floor)
    assert (told.cost_yen, told.margin_lost_yen) == (300, 300)


async def test_what_is_approved_in_the_moment_it_should_give_way_stays(floor: Floor) -> None:
    await shelf(floor, ONE, TWO, DEAR)
    await floor.damage("MUG", 1)
    await floor.work()
    row = await floor.cancellation("o-1")
    await floor.damage("MUG", 1)

    async with floor.database.transaction() as session:
        now = floor.clock.now()
        await decide_cancellation(session, row.id, approve=True, by="mori", now=now)
        # Not committed yet: the desk still sees a proposal, and finds it locked.
        assert await tend(floor) == 0
    assert await floor.states() == {"o-1": "approved"}
    await tend(floor)

    assert await floor.states() == {"o-1": "approved", "o-2": "proposed"}
    assert await floor.messages("shipping.release") == []


async def test_an_order_whose_buyer_was_told_does_not_give_way(floor: Floor) -> None:
    await shelf(floor, ONE, TWO, DEAR)
    await floor.damage("MUG", 1)
    await floor.work()
    row = await floor.cancellation("o-1")
    async with floor.database.transaction() as session:
        now = floor.clock.now()
        await messages.draft(session, row.id, now)
        await messages.mark_sent(session, row.id, person="mori", by="key", now=now)

    await floor.damage("MUG", 1)
    await floor.work()

    assert await floor.states() == {"o-1": "proposed", "o-2": "proposed"}


async def test_at_the_deadline_it_is_the_least_set_that_is_approved(floor: Floor) -> None:
    await shelf(floor, ONE, TWO, DEAR, policy="auto_at_deadline")
    await floor.damage("MUG", 1)
    await floor.work()
    assert await floor.states() == {"o-1": "proposed"}
    floor.later(24 * 3600)
    await floor.damage("MUG", 1)

    await floor.work()

    # The choice comes before the deadline's decision, and o-2 has a day of its own.
    assert await floor.states() == {"o-1": "refused", "o-2": "proposed"}
    assert floor.malls["shopify"].calls == []
    floor.later(24 * 3600)
    await floor.work()
    assert await floor.states() == {"o-1": "refused", "o-2": "submitted"}
    await floor.damage("MUG", 1)
    await floor.work()
    assert await floor.states() == {"o-1": "proposed", "o-2": "submitted"}


async def test_an_order_whose_buyer_has_asked_is_weighed_like_any_other_and_waits_for_a_person(
    floor: Floor,
) -> None:
    await shelf(floor, ONE, TWO, DEAR, policy="auto")
    mall = floor.malls["shopify"]
    floor.later(1)
    await floor.pull("shopify", mall.change("o-1", buyer_asked_to_cancel=True))
    await floor.damage("MUG", 1)
    await floor.work()
    assert await floor.states() == {"o-1": "proposed"}

    await floor.damage("MUG", 1)
    await floor.work(2)

    assert await floor.states() == {"o-1": "refused", "o-2": "submitted"}


async def test_a_proposal_whose_order_is_partly_shipped_gives_way(floor: Floor) -> None:
    await shelf(floor, ONE, TWO)
    await floor.damage("MUG", 2)
    await floor.work()
    assert await floor.states() == {"o-2": "proposed"}
    [line] = floor.malls["shopify"].orders["o-2"].lines
    floor.later(1)
    half = type(line)(line_ref="1", channel_sku="MUG", quantity=2, shipped=1, unit_price=1000)
    await floor.pull("shopify", floor.malls["shopify"].change("o-2", lines=(half,)))

    await floor.work()

    assert await floor.states() == {"o-1": "proposed", "o-2": "refused"}
    assert "oversell_stuck" in await floor.alerts()


async def test_a_person_is_called_for_as_long_as_too_few_orders_may_be_ended(
    floor: Floor,
) -> None:
    await floor.set_channel("yahoo", desk_policy="review")
    mall = floor.malls["yahoo"]
    await floor.sell("yahoo", "o-1", cancellable=False)
    await floor.work(2)
    assert "oversell_stuck" in await floor.alerts()

    floor.later(60)
    await floor.pull("yahoo", mall.change("o-1", cancellable=True))
    await floor.work()
    assert await floor.states() == {"o-1": "proposed"}
    assert "oversell_stuck" not in await floor.alerts()

    floor.later(60)
    await floor.pull("yahoo", mall.change("o-1", cancellable=False))
    await floor.work(2)
    assert await floor.states() == {"o-1": "refused"}
    assert "oversell_stuck" in await floor.alerts()
    assert (await floor.steps()).count("needs_person") == 2
