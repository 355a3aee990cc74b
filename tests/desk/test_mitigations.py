"""Before an order is given up: units elsewhere, holds, and supply that comes in time."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import msgspec
from sqlalchemy import select

from inventory.facts import (
    Fact,
    StockAdjusted,
    StockReceived,
    StockTransferred,
    SupplyExpected,
    TransferArrived,
    TransferSent,
)
from inventory.models import Location, Mitigation, OversellStep
from tests.conftest import Save
from tests.desk.conftest import Floor

DAY = timedelta(days=1)
# The floor's clock stands at 21:00 in Tokyo on the 21st.
SHIP_BY = 4 * DAY


async def tell(floor: Floor, kind: type[Fact], ref: str = "", **more: Any) -> None:
    """Something happens in the house."""
    values = {"channel_id": 0, "fact_ref": ref or uuid4().hex, "occurred_at": floor.clock.now()}
    fact: Fact = msgspec.convert(values | more, kind)
    [outcome] = await floor.ledger.apply([fact])
    assert outcome.code == ""


async def expect(floor: Floor, units: int, day: int, ref: str = "po-1") -> None:
    """A supplier will deliver mugs on this day of November."""
    due_on = date(2026, 11, day)
    await tell(floor, SupplyExpected, supply_ref=ref, sku="MUG", quantity=units, due_on=due_on)


async def mitigation(floor: Floor, kind: str) -> Mitigation:
    """What was tried."""
    row: Mitigation
    [row] = await floor.rows(select(Mitigation).where(Mitigation.kind == kind))
    return row


async def test_each_way_is_tried_and_its_result_is_on_record(floor: Floor) -> None:
    await floor.sell("rakuten", "o-1")

    await floor.work()

    tried = await floor.step("mitigations")
    assert {kind: tried[kind]["result"] for kind in sorted(tried.keys() - {"covered"})} == {
        "holds": "no hold of this SKU could be released",
        "inbound_supply": "no supply is due before the ship-by date of an order",
        "other_location": "no units at other sellable locations",
    }
    assert await floor.states() == {"o-1": "submitted"}


async def test_supply_that_comes_in_time_spares_the_order_and_ends_the_case(
    floor: Floor,
) -> None:
    await expect(floor, 3, 24)
    await floor.sell("rakuten", "o-1", ship_by=floor.clock.now() + SHIP_BY)
    await floor.work()
    assert await floor.states() == {}
    held = await mitigation(floor, "inbound_supply")
    assert (held.state, held.units) == ("covering", 1)
    assert held.detail["orders"][0]["order_ref"] == "o-1"
    assert (await floor.case()).state == "open"

    await tell(floor, StockReceived, sku="MUG", quantity=3, supply_ref="po-1")
    await floor.work()

    assert (await floor.case()).state == "closed"
    held = await mitigation(floor, "inbound_supply")
    assert (held.state, held.units) == ("done", 1)
    assert await floor.states() == {}


async def test_an_order_is_given_up_when_the_supply_is_late(floor: Floor) -> None:
    await expect(floor, 3, 24)
    await floor.sell("rakuten", "o-1", ship_by=floor.clock.now() + SHIP_BY)
    await floor.work()

    floor.later(3 * 86_400)
    await floor.work()
    assert await floor.states() == {}
    floor.later(4 * 3600)
    await floor.work()

    held = await mitigation(floor, "inbound_supply")
    assert (held.state, held.detail["late"]) == ("undone", ["po-1"])
    assert await floor.states() == {"o-1": "submitted"}


async def test_another_supply_takes_the_place_of_a_late_one(floor: Floor) -> None:
    await floor.set_channel("rakuten", desk_policy="review")
    await expect(floor, 3, 20)
    await floor.sell("rakuten", "o-1", ship_by=floor.clock.now() + SHIP_BY)
    await floor.work()
    assert await floor.states() == {"o-1": "proposed"}

    await expect(floor, 1, 24, "po-2")
    await floor.work(2)

    assert await floor.states() == {"o-1": "refused"}
    held = await mitigation(floor, "inbound_supply")
    assert (held.state, held.units, held.detail["late"]) == ("covering", 1, ["po-1"])


async def test_supply_put_off_beyond_the_ship_by_date_no_longer_covers(floor: Floor) -> None:
    await expect(floor, 3, 24)
    await floor.sell("rakuten", "o-1", ship_by=floor.clock.now() + SHIP_BY)
    await floor.work()

    await expect(floor, 3, 27)
    await floor.work()

    assert await floor.states() == {"o-1": "submitted"}


async def test_where_a_channel_tells_no_date_the_shops_own_promise_counts(floor: Floor) -> None:
    await floor.set_channel("yahoo", ship_days=4)
    await floor.set_channel("rakuten", ship_days=1, desk_policy="review")
    await expect(floor, 3, 24)
    await floor.sell("yahoo", "o-1")
    await floor.sell("rakuten", "o-2")
    placed = floor.clock.now()

    await floor.work()

    assert await floor.states() == {"o-2": "proposed"}
    assert (await mitigation(floor, "inbound_supply")).detail["orders"][0]["order_ref"] == "o-1"
    # The day before it is due has begun with the order itself: an hour is left to decide.
    assert (await floor.cancellation("o-2")).decide_by == placed + timedelta(hours=1)


async def test_only_what_the_supply_does_not_cover_is_given_up(floor: Floor) -> None:
    await expect(floor, 1, 24)
    await floor.sell("yahoo", "o-1", ship_by=floor.clock.now() + SHIP_BY)
    await floor.sell("rakuten", "o-2", ship_by=floor.clock.now() + SHIP_BY + DAY)

    await floor.work()

    # The one with more time waits, though it is newer and would have lost.
    assert await floor.states() == {"o-1": "submitted"}
    assert (await mitigation(floor, "inbound_supply")).detail["orders"][0]["order_ref"] == "o-2"


async def test_supply_told_of_later_takes_a_proposal_back(floor: Floor) -> None:
    await floor.set_channel("rakuten", desk_policy="review")
    await floor.sell("rakuten", "o-1", ship_by=floor.clock.now() + SHIP_BY)
    await floor.work()
    assert await floor.states() == {"o-1": "proposed"}

    await expect(floor, 1, 24)
    await floor.work(2)

    assert await floor.states() == {"o-1": "refused"}
    assert await floor.messages("shipping.release") == ["o-1"]
    steps = await floor.steps()
    await floor.work(2)
    assert await floor.steps() == steps


async def test_too_few_other_orders_make_the_ones_that_wait_candidates_again(
    floor: Floor,
) -> None:
    await expect(floor, 1, 24)
    await floor.sell("rakuten", "o-1", {"MUG": 3}, ship_by=floor.clock.now() + SHIP_BY)

    await floor.work(2)

    assert await floor.states() == {"o-1": "submitted"}


async def annex(floor: Floor, save: Save) -> None:
    """Rakuten sells from `main` alone; five mugs lie in the annex."""
    await save(Location(code="annex"))
    main, *_ = await floor.rows(select(Location.id).where(Location.code == "main"))
    await floor.set_channel("rakuten", location_ids=[main])
    await tell(floor, StockReceived, sku="MUG", quantity=5, location="annex")


async def test_units_of_another_location_are_asked_for_and_counted_once(
    floor: Floor, save: Save
) -> None:
    await annex(floor, save)
    await floor.sell("rakuten", "o-1", {"MUG": 2})
    await floor.work()
    assert await floor.states() == {}
    assert "transfer_wanted" in await floor.alerts()
    held = await mitigation(floor, "other_location")
    assert (held.state, held.units) == ("covering", 2)
    assert held.detail["from"] == [{"location": "annex", "units": 2}]

    route: dict[str, Any] = {"sku": "MUG", "from_location": "annex", "to_location": "main"}
    await tell(floor, StockTransferred, quantity=1, **route)
    await floor.work()
    assert (await floor.case()).shortage == 1
    assert (await mitigation(floor, "other_location")).units == 1
    await tell(floor, TransferSent, ref="t-1", quantity=1, **route)
    await floor.work()
    assert "transfer_wanted" not in await floor.alerts()
    assert await floor.states() == {}
    await tell(floor, TransferArrived, transfer_ref="t-1", quantity=1)
    await floor.work()

    assert (await floor.case()).state == "closed"
    assert (await mitigation(floor, "other_location")).state == "done"
    assert await floor.states() == {}


async def test_no_order_goes_that_another_location_fills(floor: Floor, save: Save) -> None:
    await annex(floor, save)
    away, *_ = await floor.rows(select(Location.id).where(Location.code == "annex"))
    await floor.set_channel("shopify", location_ids=[away])
    await floor.sell("rakuten", "o-1")
    await floor.sell("shopify", "o-2", {"MUG": 5})

    await floor.work()

    # The newer one at the own store would cost less, and free no mug of the short pool.
    assert await floor.states() == {"o-1": "submitted"}


async def test_units_that_came_while_an_order_was_ending_are_on_record(
    floor: Floor, save: Save
) -> None:
    await annex(floor, save)
    await tell(floor, StockAdjusted, sku="MUG", location="annex", reason="loss", change=-3)
    for number in (1, 2, 3):
        await floor.sell("rakuten", f"o-{number}")
    await floor.work()
    assert await floor.states() == {"o-3": "submitted"}

    route: dict[str, Any] = {"sku": "MUG", "from_location": "annex", "to_location": "main"}
    await tell(floor, StockTransferred, quantity=2, **route)
    await floor.work(2)

    assert await floor.states() == {"o-3": "submitted"}
    held = await mitigation(floor, "other_location")
    assert (held.state, held.units) == ("done", 2)
    assert "transfer_wanted" not in await floor.alerts()


async def test_units_that_nobody_brings_are_not_waited_for_for_ever(
    floor: Floor, save: Save
) -> None:
    await annex(floor, save)
    await floor.sell("rakuten", "o-1", {"MUG": 2})
    await floor.work()

    floor.later(24 * 3600)
    await floor.work(2)

    assert (await mitigation(floor, "other_location")).state == "undone"
    assert await floor.states() == {"o-1": "submitted"}
    assert "transfer_wanted" not in await floor.alerts()


async def test_units_that_another_channel_has_promised_are_not_asked_for(
    floor: Floor, save: Save
) -> None:
    await annex(floor, save)
    away, *_ = await floor.rows(select(Location.id).where(Location.code == "annex"))
    await floor.set_channel("amazon", location_ids=[away])
    await floor.sell("amazon", "o-1", {"MUG": 4})
    await floor.sell("rakuten", "o-2", {"MUG": 2})

    await floor.work()

    # One unit could have come: too few to spare the order, which covers both when it goes.
    assert await floor.states() == {"o-2": "submitted"}
    steps = await floor.rows(
        select(OversellStep).where(OversellStep.step == "mitigations").order_by(OversellStep.id)
    )
    told = [(step.detail["other_location"]["units"], step.detail["covered"]) for step in steps]
    assert told == [(1, 1), (0, 0)]
    floor.later(1)
    await floor.work()
    assert len(steps) == (await floor.steps()).count("mitigations")
    held = await mitigation(floor, "other_location")
    assert (held.state, held.units) == ("nothing", 0)
    assert held.detail["result"] == "not needed: orders that are given up cover it"
    assert "transfer_wanted" not in await floor.alerts()
