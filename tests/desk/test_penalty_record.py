"""Every order that ends is on record: its lines, why, whether it counts, room left, and cost."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from sqlalchemy import text

from inventory.penalty_record import costs, entries
from inventory.story import oversell
from inventory.vocabulary import Party
from tests.desk.conftest import Floor


async def ended(floor: Floor, mall: str, ref: str, by: Party, code: str | None, **sold: Any) -> Any:
    """An order that somebody ends; its entry."""
    await floor.sell(mall, ref, **sold)
    floor.later(1)
    await floor.pull(mall, floor.malls[mall].end(ref, by, code))
    await floor.work()
    [entry] = [each for each in await floor.entries() if each.order_ref == ref]
    return entry


async def test_an_entry_says_all_that_is_known_of_the_order(floor: Floor) -> None:
    await floor.receive("MUG", 50)
    await floor.receive("TEE", 5)
    for number in range(41):
        await floor.sell("amazon", f"o-{number}")

    lines = {"MUG": 2, "TEE": 1}
    entry = await ended(floor, "amazon", "bad", Party.SELLER, "NoInventory", lines=lines)

    assert (entry.cause, entry.reason_code) == ("shop_out_of_stock", "NoInventory")
    assert (entry.counts_against_metric, entry.weighs) == ("yes", True)
    assert "201722390" in entry.source
    told = [(line["sku"], line["channel_sku"], line["ordered"]) for line in entry.lines]
    assert told == [("MUG", "MUG", 2), ("TEE", "TEE", 1)]
    assert entry.worth_yen == 3000
    assert (entry.metric_before["headroom"], entry.metric_after["headroom"]) == (1, 0)
    assert entry.metric_after["as_of"] == "2026-11-01"
    assert entry.thresholds["limit_percent"] == 2.5
    assert (entry.thresholds["window_days"], entry.thresholds["count_by"]) == (7, "order_date")
    assert entry.ended_at == floor.clock.now()
    assert entry.cost is None


async def test_the_room_left_at_rakuten_is_counted_to_the_step_ahead(floor: Floor) -> None:
    await floor.receive("MUG", 50)
    rooms = []
    for number in range(3):
        entry = await ended(floor, "rakuten", f"o-{number}", Party.SELLER, "8")
        rooms.append((entry.metric_before["headroom"], entry.metric_after["headroom"]))
    assert rooms == [(2, 1), (1, 0), (0, 0)]


async def test_a_buyers_end_and_a_shop_without_metric_are_on_record_too(floor: Floor) -> None:
    await floor.receive("MUG", 50)
    await floor.set_channel("shopify", kind="eccube")
    buyers = await ended(floor, "amazon", "o-1", Party.BUYER, None)
    own = await ended(floor, "shopify", "o-2", Party.SELLER, None)

    assert (buyers.cause, buyers.counts_against_metric, buyers.weighs) == (
        "buyer_self",
        "no",
        False,
    )
    assert buyers.metric_before == buyers.metric_after
    assert (own.counts_against_metric, own.metric_before, own.metric_after) == ("no", None, None)
    assert own.thresholds is None


async def test_the_card_fee_is_the_cost_of_an_order_that_others_ended(floor: Floor) -> None:
    await floor.receive("MUG", 50)
    await floor.set_channel("shopify", metrics={"fee_percent": 3.4})
    entry = await ended(floor, "shopify", "o-1", Party.BUYER, "CUSTOMER", lines={"MUG": 3})
    assert entry.cost == {"fee_yen": 102, "total_yen": 102}


async def test_what_the_desk_reckoned_is_no_cost_of_an_order_that_its_buyer_ended(
    floor: Floor,
) -> None:
    await floor.set_channel("amazon", desk_policy="review", costs={"margin_percent": 30.0})
    await floor.sell("amazon", "o-1")
    await floor.work()
    reckoned = (await floor.cancellation("o-1")).cost
    assert reckoned is not None
    assert reckoned["total_yen"] > 0
    floor.later(60)
    await floor.pull("amazon", floor.malls["amazon"].end("o-1", Party.BUYER))
    await floor.work()

    [entry] = await floor.entries()
    assert (entry.cause, entry.weighs, entry.cost) == ("buyer_self", False, None)
    case = await floor.case()
    async with floor.database.sessions() as session:
        told = await oversell.tell(session, case.id, floor.clock.now())
    assert (told.cost.total_yen, told.cost.unknown) == (0, 1)


def test_a_cost_is_read_by_its_parts_and_unknown_stays_unknown() -> None:
    whole: dict[str, Any] = {"fee_yen": 100, "margin_yen": 50, "late_yen": None, "total_yen": 150}
    assert entries.total_of(whole) == 150
    assert entries.parts_of(whole) == {"fee_yen": 100, "margin_yen": 50}
    assert entries.total_of({"fee_yen": 100, "margin_yen": 50}) == 150
    assert entries.total_of({"fee_yen": 100, "margin_yen": None}) is None
    assert entries.total_of({"total_yen": None, "fee_yen": 1}) is None
    assert entries.total_of(None) is None
    beside = {"fee_yen": 100, "part_saves_yen": 80}
    assert (entries.total_of(beside), entries.parts_of(beside)) == (
        100,
        {"fee_yen": 100},
    )

    cost = costs.added(costs.Cost(), whole, 3000)
    cost = costs.added(cost, None, None)
    said = costs.in_words(cost)
    assert said == (
        "150 yen (fee 100, margin 50); the cost of 1 of 2 is not known;"
        " the orders were worth 3,000 yen, 1 without a price"
    )


async def test_what_the_desk_reckoned_is_copied_as_it_stands(floor: Floor) -> None:
    await floor.receive("MUG", 1)
    await floor.sell("yahoo", "o-1")
    [order_id] = await floor.rows(text("SELECT id FROM sales_order"))

    cost = {"margin_yen": 400, "closed_yen": 900, "total_yen": 1300}
    reckoned: Any = SimpleNamespace(cost=cost, reason="out_of_stock")
    assert entries.cost_of(reckoned, None, None) == cost
    async with floor.database.sessions() as session:
        [line] = await entries.lines_of(session, order_id)
    assert (line["sku"], line["unit_price"]) == ("MUG", 1000)
