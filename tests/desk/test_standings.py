"""Where a channel stands is counted from its orders; each entry begins where the last one ended."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

import pytest
from msgspec import structs

from inventory.models import Channel
from inventory.oversells import metric_now
from inventory.penalties import Metric
from inventory.vocabulary import Party
from tests.desk.conftest import Floor


async def standing(floor: Floor, code: str, now: datetime | None = None) -> Metric:
    async with floor.database.sessions() as session:
        channel = await session.get_one(Channel, floor.ids[code])
        found = await metric_now(session, channel, now or floor.clock.now())
    assert found is not None
    return found


@pytest.mark.parametrize("by", ["order_date", "cancel_date"])
async def test_the_count_in_the_database_equals_a_plain_recount(floor: Floor, by: str) -> None:
    await floor.receive("MUG", 1000)
    await floor.set_channel("amazon", metrics={"count_by": by, "as_of": "2026-11-01"})
    random, amazon = Random(7), floor.malls["amazon"]
    orders: list[tuple[datetime, datetime | None]] = []
    for number in range(40):
        floor.later(random.randint(1, 12) * 3600)
        await floor.sell("amazon", f"o-{number}")
        ordered_at, ended_at = floor.clock.now(), None
        if random.random() < 0.4:
            floor.later(random.randint(1, 12) * 3600)
            ended_at = floor.clock.now()
            await floor.pull("amazon", amazon.end(f"o-{number}", Party.SELLER, "NoInventory"))
            await floor.work()
        orders.append((ordered_at, ended_at))
        now, start = floor.clock.now(), floor.clock.now() - timedelta(days=7)
        placed = sum(start < ordered <= now for ordered, _ in orders)
        moments = [
            ordered if by == "order_date" else ended
            for ordered, ended in orders
            if ended is not None
        ]
        counted = sum(start < moment <= now for moment in moments)
        assert (await standing(floor, "amazon")).value == 100 * counted / placed


async def test_the_window_ends_just_before_the_oldest_order(floor: Floor) -> None:
    await floor.receive("MUG", 10)
    await floor.sell("amazon", "o-1")
    first = floor.clock.now()
    await floor.sell("amazon", "o-2")
    floor.later(1)
    await floor.pull("amazon", floor.malls["amazon"].end("o-1", Party.SELLER, "NoInventory"))
    await floor.work()

    week = first + timedelta(days=7)
    assert (await standing(floor, "amazon", week - timedelta(microseconds=1))).value == 50
    assert (await standing(floor, "amazon", week)).value == 0


async def test_each_entry_begins_where_the_last_one_ended(floor: Floor) -> None:
    await floor.set_channel("shopify", metrics={"fee_percent": 3.4})
    await floor.receive("MUG", 4)
    for number in range(4):
        await floor.sell("shopify", f"o-{number}")
    await floor.damage("MUG", 3)
    await floor.work()
    floor.later(3)
    await floor.work()

    entries = await floor.entries()
    values = [(e.metric_before["value"], e.metric_after["value"]) for e in entries]
    assert values == [(0, 34), (34, 68), (68, 102)]
    assert {e.counts_against_metric for e in entries} == {"no"}
    assert (await standing(floor, "shopify")).value == 102


async def test_an_unknown_price_leaves_the_fee_unknown(floor: Floor) -> None:
    await floor.set_channel("shopify", metrics={"fee_percent": 3.4})
    await floor.sell("shopify", "o-1")
    [line] = floor.malls["shopify"].orders["o-1"].lines
    floor.later(1)
    bare = structs.replace(line, unit_price=None)
    await floor.pull("shopify", floor.malls["shopify"].change("o-1", lines=(bare,)))

    await floor.work()

    row = await floor.cancellation("o-1")
    assert row.metric_before is not None
    assert row.metric_after is not None
    assert (row.metric_before["value"], row.metric_after["value"]) == (0, None)


async def test_a_young_connection_has_an_incomplete_window(floor: Floor) -> None:
    await floor.set_channel("amazon", connected_at=floor.clock.now() - timedelta(days=6))
    await floor.sell("amazon", "o-1")
    assert (await standing(floor, "amazon")).history_complete is False
    week_ago = floor.clock.now() - timedelta(days=7)
    await floor.set_channel("amazon", metrics={"history_from": week_ago.isoformat()})
    assert (await standing(floor, "amazon")).history_complete is True
