"""Parts of orders that end while the rest lives on: each is on record, once, with what it did."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec import structs
from sqlalchemy import select, text

from inventory.desk import part_endings
from inventory.models import SalesOrder
from inventory.penalty_record import report, tables
from inventory.penalty_record.report import Period
from inventory.penalty_record.tables import Table
from inventory.story import lines as story_lines
from inventory.story import oversell
from inventory.vocabulary import Party
from tests.desk.conftest import Floor

TWO = {"MUG": 3, "TEE": 2}


@pytest.fixture(autouse=True)
async def stocked(floor: Floor) -> None:
    """Enough for all: no case is opened unless units break."""
    await floor.receive("MUG", 100)
    await floor.receive("TEE", 100)


async def edited(floor: Floor, mall: str, ref: str, **lines: Any) -> None:
    """A person changes lines of the order at the marketplace, and the pull brings it in."""
    floor.later(1)
    kept = [
        structs.replace(line, **lines.get(line.channel_sku, {}))
        for line in floor.malls[mall].orders[ref].lines
        if lines.get(line.channel_sku) is not None or line.channel_sku not in lines
    ]
    await floor.pull(mall, floor.malls[mall].change(ref, lines=tuple(kept)))


def units(entry: Any) -> dict[str, int]:
    return {line["sku"]: line["units"] for line in entry.lines}


def values(entry: Any) -> tuple[Any, Any]:
    return entry.metric_before["value"], entry.metric_after["value"]


@pytest.mark.parametrize(
    ("change", "ended"),
    [
        ({"MUG": {"cancelled": 1}}, {"MUG": 1}),
        ({"MUG": {"quantity": 2}}, {"MUG": 1}),
        ({"MUG": None}, {"MUG": 3}),
        ({"MUG": {"quantity": 0}, "TEE": {"cancelled": 1}}, {"MUG": 3, "TEE": 1}),
        ({"MUG": {"cancelled": 1, "shipped": 2}}, {"MUG": 1}),
    ],
)
async def test_units_that_end_are_on_record_however_the_channel_shows_it(
    floor: Floor, change: dict[str, Any], ended: dict[str, int]
) -> None:
    await floor.sell("rakuten", "o-1", TWO)
    await edited(floor, "rakuten", "o-1", **change)

    await floor.work(2)

    [entry] = await floor.entries()
    assert units(entry) == ended
    assert (entry.order_ref, entry.part, entry.cancellation_id) == ("o-1", 1, None)
    assert (entry.cause, entry.counts_against_metric, entry.weighs) == (
        "unknown",
        "unconfirmed",
        False,
    )
    assert entry.metric_before == entry.metric_after
    assert entry.worth_yen == 1000 * sum(ended.values())
    assert entry.thresholds["as_of"] == "2024-03-01"
    assert entry.cost is None
    assert entry.ended_at == floor.clock.now()
    assert await floor.states() == {}


async def test_shopify_never_tells_who_and_keeps_the_fee_all_the_same(floor: Floor) -> None:
    await floor.set_channel("shopify", metrics={"fee_percent": 3.4})
    await floor.sell("shopify", "o-1", TWO)
    await edited(floor, "shopify", "o-1", MUG={"cancelled": 2})
    await floor.work()
    [entry] = await floor.entries()
    assert (entry.cause, entry.counts_against_metric, entry.weighs) == ("unknown", "no", True)
    assert (values(entry), entry.cost["fee_yen"]) == ((0, 68), 68)


async def test_what_is_told_again_makes_no_entry_and_a_second_part_makes_its_own(
    floor: Floor,
) -> None:
    await floor.sell("amazon", "o-1", TWO)
    for _ in range(2):
        await edited(floor, "amazon", "o-1", MUG={"cancelled": 1})
        await floor.work()
    await edited(floor, "amazon", "o-1", MUG={"cancelled": 2}, TEE={"cancelled": 1})
    await floor.work(2)

    entries = await floor.entries()
    assert [(entry.part, units(entry)) for entry in entries] == [
        (1, {"MUG": 1}),
        (2, {"MUG": 1, "TEE": 1}),
    ]


async def test_many_rounds_at_once_note_a_part_once(floor: Floor) -> None:
    await floor.sell("yahoo", "o-1", TWO)
    await edited(floor, "yahoo", "o-1", MUG={"cancelled": 1})
    [order_id] = await floor.rows(select(SalesOrder.id))

    async def observe() -> None:
        async with floor.database.transaction() as session:
            await part_endings.observe(session, order_id, floor.clock.now())

    await asyncio.gather(*(observe() for _ in range(5)))

    assert [units(entry) for entry in await floor.entries()] == [{"MUG": 1}]


# mall, who ended it, the channel's code, then who asked by our table, does it count, does it weigh
TOLD: list[tuple[str, Party, str | None, str, str, bool]] = [
    ("amazon", Party.SELLER, "NoInventory", "shop_out_of_stock", "unconfirmed", True),
    ("amazon", Party.SELLER, "BuyerCanceled", "buyer_message", "unconfirmed", True),
    ("amazon", Party.BUYER, None, "buyer_self", "no", False),
    ("amazon", Party.MARKETPLACE, None, "marketplace", "no", False),
    ("rakuten", Party.SELLER, "8", "shop_out_of_stock", "unconfirmed", True),
    ("rakuten", Party.BUYER, "1", "buyer_self", "unconfirmed", False),
    ("yahoo", Party.SELLER, "210", "shop_out_of_stock", "unconfirmed", True),
    ("shopify", Party.BUYER, "CUSTOMER", "buyer_self", "no", True),
]


@pytest.mark.parametrize(("mall", "by", "code", "cause", "counts", "weighs"), TOLD)
async def test_what_the_channel_says_of_a_part_decides_by_the_tables_row(
    floor: Floor, mall: str, by: Party, code: str | None, cause: str, counts: str, weighs: bool
) -> None:
    await floor.set_channel("shopify", metrics={"fee_percent": 3.4})
    await floor.sell(mall, "o-1", TWO)
    floor.malls[mall].change("o-1", cancelled_by=by, cancel_reason=code)
    await edited(floor, mall, "o-1", MUG={"cancelled": 1})

    await floor.work()

    [entry] = await floor.entries()
    assert (entry.cause, entry.reason_code) == (cause, code or "")
    assert (entry.counts_against_metric, entry.weighs) == (counts, weighs)
    assert (entry.metric_before != entry.metric_after) is weighs


async def test_a_part_that_weighs_counts_its_order_once_with_its_later_end(floor: Floor) -> None:
    for number in range(50):
        await floor.sell("amazon", f"x-{number}")
    await floor.sell("amazon", "o-1", TWO)
    floor.malls["amazon"].change("o-1", cancelled_by=Party.SELLER, cancel_reason="NoInventory")
    await edited(floor, "amazon", "o-1", MUG={"cancelled": 1})
    await floor.work()
    floor.later(1)
    await floor.pull("amazon", floor.malls["amazon"].end("o-1", Party.SELLER, "NoInventory"))
    await floor.work()

    part, whole = await floor.entries()
    assert values(part) == (0, 100 / 51)
    assert (part.metric_before["headroom"], part.metric_after["headroom"]) == (1, 0)
    assert values(whole) == (100 / 51, 100 / 51)
    assert (units(part), units(whole)) == ({"MUG": 1}, {"MUG": 2, "TEE": 2})
    assert (part.worth_yen, whole.worth_yen) == (1000, 4000)
    assert (whole.part, whole.cause, whole.weighs) == (0, "shop_out_of_stock", True)
    assert await floor.states() == {"o-1": "observed"}
    await floor.work(2)
    assert len(await floor.entries()) == 2


async def test_the_card_fee_of_a_part_and_of_the_rest_is_that_of_the_whole(floor: Floor) -> None:
    await floor.set_channel("shopify", metrics={"fee_percent": 3.4})
    await floor.sell("shopify", "o-1", TWO)
    floor.malls["shopify"].change("o-1", cancelled_by=Party.BUYER, cancel_reason="CUSTOMER")
    await edited(floor, "shopify", "o-1", MUG={"cancelled": 2})
    await floor.work()
    floor.later(1)
    await floor.pull("shopify", floor.malls["shopify"].end("o-1", Party.BUYER, "CUSTOMER"))
    await floor.work()

    part, whole = await floor.entries()
    assert (values(part), values(whole)) == ((0, 68), (68, 170))
    assert part.cost == {"fee_yen": 68, "total_yen": 68}


async def test_a_part_taken_out_while_it_was_short_is_our_shortages(floor: Floor) -> None:
    """Rakuten does not say who changed an order: our own case says why it was."""
    await floor.set_channel("rakuten", desk_policy="review", costs={"margin_percent": 30.0})
    await floor.sell("rakuten", "o-1", TWO)
    await floor.damage("MUG", 98)
    await floor.work()
    assert await floor.states() == {"o-1": "proposed"}
    await edited(floor, "rakuten", "o-1", MUG={"quantity": 2})
    await floor.work()

    [entry] = await floor.entries()
    assert (entry.cause, entry.reason_code, entry.weighs) == ("shop_out_of_stock", "", True)
    assert entry.counts_against_metric == "unconfirmed"
    assert "does not say who" in entry.source
    assert values(entry) == (0, 15)
    assert entry.cost["margin_yen"] == 300
    assert entry.cost["total_yen"] > 300
    assert entry.oversell_id == (await floor.case()).id
    told = await floor.step("part_ended")
    assert (told["order_ref"], told["units"]) == ("o-1", 1)

    async with floor.database.sessions() as session:
        story = await oversell.tell(session, entry.oversell_id, floor.clock.now())
    said = "\n".join(story_lines.lines(story))
    assert "desk: a part of an order ended, and the rest lives on: o-1, units 1" in said
    assert "rakuten o-1: 1 units of it ended, counts: unconfirmed" in said
    assert story.given_up[-1].entry == entry.id
    assert story.cost.parts["margin_yen"] >= 300


async def test_a_line_that_goes_on_under_another_name_has_not_ended(floor: Floor) -> None:
    await floor.sell("rakuten", "o-1", {"MUG": 3})
    [line] = floor.malls["rakuten"].orders["o-1"].lines
    floor.later(1)
    split = (structs.replace(line, quantity=1), structs.replace(line, line_ref="2/1", quantity=2))
    await floor.pull("rakuten", floor.malls["rakuten"].change("o-1", lines=split))
    await floor.work()
    assert await floor.entries() == []

    floor.later(1)
    fewer = (structs.replace(line, quantity=1), structs.replace(line, line_ref="2/1", quantity=1))
    await floor.pull("rakuten", floor.malls["rakuten"].change("o-1", lines=fewer))
    await floor.work()
    assert [units(entry) for entry in await floor.entries()] == [{"MUG": 1}]


async def test_what_comes_back_before_anybody_looked_has_not_ended(floor: Floor) -> None:
    await floor.sell("rakuten", "o-1", TWO)
    await edited(floor, "rakuten", "o-1", MUG={"quantity": 1})
    await edited(floor, "rakuten", "o-1", MUG={"quantity": 3})
    await floor.work()
    assert await floor.entries() == []


async def test_amazons_own_shipments_have_parts_that_count_nowhere(floor: Floor) -> None:
    await floor.sell("amazon", "o-1", TWO, fulfilled_by_channel=True)
    floor.malls["amazon"].change("o-1", cancelled_by=Party.SELLER, cancel_reason="NoInventory")
    await edited(floor, "amazon", "o-1", MUG={"cancelled": 1})
    await floor.work()
    [entry] = await floor.entries()
    assert (entry.counts_against_metric, entry.weighs) == ("no", False)


async def test_an_order_that_ended_in_full_leaves_no_part_to_be_found(floor: Floor) -> None:
    await floor.sell("yahoo", "o-1", TWO)
    floor.later(1)
    await floor.pull("yahoo", floor.malls["yahoo"].end("o-1", Party.SELLER, "210"))
    await floor.work()
    [entry] = await floor.entries()
    assert (entry.part, units(entry)) == (0, {"MUG": 3, "TEE": 2})
    left = "SELECT 1 FROM order_line WHERE lowered + least(cancelled, ordered) > ends_recorded"
    assert await floor.rows(text(left)) == []


async def test_parts_are_in_the_report_and_its_tables(floor: Floor) -> None:
    await floor.sell("amazon", "o-1", TWO)
    for ended in (1, 2):
        floor.malls["amazon"].change("o-1", cancelled_by=Party.SELLER, cancel_reason="NoInventory")
        await edited(floor, "amazon", "o-1", MUG={"cancelled": ended})
        await floor.work()
    floor.later(1)
    await floor.pull("amazon", floor.malls["amazon"].end("o-1", Party.SELLER, "NoInventory"))
    await floor.work()

    now = floor.clock.now()
    async with floor.database.sessions() as session:
        found = await report.report(session, period=Period.WEEK, now=now, channel="amazon")
        rows = await tables.rows_of(session, found, Table.ENTRIES)

    cause = "shop_out_of_stock"
    # channel, SKU, cause, orders, parts, units, counted
    assert tables.causes(found) == [
        ("amazon", "MUG", cause, 1, 2, 3, 1),
        ("amazon", "TEE", cause, 1, 0, 2, 1),
    ]
    [today] = [day for day in found.channels[0].days if day.ended]
    assert (today.orders, today.ended, today.counted) == (1, 1, 1)
    heading = tables.heading_of(Table.ENTRIES)
    shown = [dict(zip(heading, row, strict=True)) for row in rows]
    assert [(row["extent"], row["lines"], row["worth_yen"]) for row in shown] == [
        ("part", "MUG x1", 1000),
        ("part", "MUG x1", 1000),
        ("whole", "MUG x1; TEE x2", 3000),
    ]
    assert [(row["before"], row["after"]) for row in shown] == [(0, 100), (100, 100), (100, 100)]
