"""Orders that others have ended: who it was, whether it counts, and that it is noted once."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from inventory.desk import endings
from inventory.models import Cancellation, SalesOrder
from inventory.vocabulary import Party
from tests.desk.conftest import Floor


@pytest.fixture(autouse=True)
async def stocked(floor: Floor) -> None:
    """Mugs enough for all: no case is opened here."""
    await floor.receive("MUG", 100)


# mall, who ended it, the channel's code, who asked by our table, does it count, does it weigh
COUNTING: list[tuple[str, Party | None, str | None, str, str, bool]] = [
    ("rakuten", Party.BUYER, "1", "buyer_self", "unconfirmed", False),
    ("rakuten", Party.SELLER, "8", "shop_out_of_stock", "unconfirmed", True),
    ("rakuten", Party.SELLER, "13", "shop_other", "unconfirmed", True),
    ("yahoo", Party.SELLER, "210", "shop_out_of_stock", "yes", True),
    ("yahoo", Party.SELLER, None, "shop_other", "yes", True),
    ("yahoo", Party.MARKETPLACE, "400", "marketplace", "unconfirmed", False),
    ("amazon", Party.SELLER, "NoInventory", "shop_out_of_stock", "yes", True),
    ("amazon", Party.SELLER, "BuyerCanceled", "buyer_message", "yes", True),
    ("shopify", Party.SELLER, "INVENTORY", "shop_out_of_stock", "no", True),
    ("amazon", None, None, "unknown", "unconfirmed", False),
]
# mall, who ended it, the channel's code, whether the marketplace shows that the buyer asked
HARMLESS: list[tuple[str, Party, str | None, bool]] = [
    ("amazon", Party.BUYER, None, False),
    ("amazon", Party.SELLER, "BuyerCanceled", True),
    ("amazon", Party.MARKETPLACE, "PaymentFailed", False),
    ("yahoo", Party.SELLER, "100", False),
]


async def test_what_counts_or_may_count_is_on_record(floor: Floor) -> None:
    await floor.set_channel("shopify", metrics={"fee_percent": 3.4})
    for number, (mall, by, code, *_) in enumerate(COUNTING):
        await floor.sell(mall, f"o-{number}")
        floor.later(1)
        await floor.pull(mall, floor.malls[mall].end(f"o-{number}", by, code))

    await floor.work()

    entries = {entry.order_ref: entry for entry in await floor.entries()}
    for number, (_, _, code, reason, counts, weighs) in enumerate(COUNTING):
        row, entry = await floor.cancellation(f"o-{number}"), entries[f"o-{number}"]
        assert (row.state, row.reason, row.reason_code) == ("observed", reason, code or "")
        assert (entry.counts_against_metric, entry.weighs) == (counts, weighs)
        assert (entry.metric_before != entry.metric_after) is weighs
    assert await floor.alerts() == ["cancellation_unclassified"]


async def test_what_surely_does_not_count_is_on_record_as_not_counting(floor: Floor) -> None:
    for number, (mall, by, code, flag) in enumerate(HARMLESS):
        await floor.sell(mall, f"o-{number}", buyer_asked_to_cancel=flag)
        floor.later(1)
        await floor.pull(mall, floor.malls[mall].end(f"o-{number}", by, code))

    await floor.work()

    assert await floor.states() == {f"o-{number}": "observed" for number in range(len(HARMLESS))}
    entries = await floor.entries()
    assert [(e.counts_against_metric, e.weighs) for e in entries] == [("no", False)] * len(HARMLESS)
    assert all(entry.metric_before == entry.metric_after for entry in entries)


async def test_an_order_left_lying_until_amazon_ends_it_counts(floor: Floor) -> None:
    ship_by = floor.clock.now() + timedelta(days=1)
    await floor.sell("amazon", "o-1", ship_by=ship_by)
    floor.clock.moment = ship_by + timedelta(days=7)
    await floor.pull("amazon", floor.malls["amazon"].end("o-1", Party.MARKETPLACE))

    await floor.work()

    [entry] = await floor.entries()
    assert entry.counts_against_metric == "yes"


async def test_amazons_own_shipments_are_in_no_metric(floor: Floor) -> None:
    await floor.sell("amazon", "o-1", fulfilled_by_channel=True)
    floor.later(1)
    await floor.pull("amazon", floor.malls["amazon"].end("o-1", Party.SELLER, "NoInventory"))

    await floor.work()

    [entry] = await floor.entries()
    assert (entry.counts_against_metric, entry.weighs) == ("no", False)


async def _cancelled_by_the_shop(floor: Floor, orders: int) -> None:
    for number in range(orders):
        await floor.sell("yahoo", f"o-{number}")
        floor.later(1)
        await floor.pull("yahoo", floor.malls["yahoo"].end(f"o-{number}", Party.SELLER, "210"))


async def test_many_rounds_at_once_note_it_once(floor: Floor) -> None:
    await _cancelled_by_the_shop(floor, 5)

    await asyncio.gather(*(floor.work() for _ in range(6)))

    assert len(await floor.rows(select(Cancellation))) == 5
    assert len(await floor.entries()) == 5


async def test_entries_made_at_once_count_each_other(floor: Floor) -> None:
    await _cancelled_by_the_shop(floor, 5)
    order_ids = await floor.rows(select(SalesOrder.id))

    async def observe(order_id: int) -> None:
        async with floor.database.transaction() as session:
            await endings.observe(session, order_id, floor.clock.now())

    await asyncio.gather(*(observe(order_id) for order_id in order_ids))

    values = [(e.metric_before["value"], e.metric_after["value"]) for e in await floor.entries()]
    assert sorted(values) == [(0, 20), (20, 40), (40, 60), (60, 80), (80, 100)]
