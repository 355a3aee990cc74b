"""What would giving this order up do? Asked of any order, and nothing is changed by asking."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from inventory.errors import NotFound
from inventory.models import Base, Channel, SalesOrder
from inventory.penalty_record import dry_run, standings
from inventory.penalty_record.dry_run import DryRun
from inventory.vocabulary import Party
from tests.conftest import Save
from tests.desk.conftest import Floor
from tests.factories import ChannelFactory


async def asked(floor: Floor, channel: str, order_ref: str) -> DryRun:
    async with floor.database.sessions() as session:
        return await dry_run.dry_run(session, channel, order_ref, floor.clock.now())


async def everything(floor: Floor) -> dict[str, Any]:
    async with floor.database.sessions() as session:
        found = {}
        for table in Base.metadata.sorted_tables:
            rows = await session.execute(text(f"SELECT t::text FROM {table.name} t ORDER BY 1"))  # noqa: S608 -- our own tables
            found[table.name] = list(rows.scalars())
    return found


async def test_it_says_what_the_desk_would_foresee_and_changes_nothing(floor: Floor) -> None:
    for mall in floor.malls:
        await floor.set_channel(mall, desk_policy="review")
    await floor.set_channel("shopify", metrics={"fee_percent": 3.4})
    await floor.receive("MUG", 4)
    for mall in ("shopify", "amazon", "yahoo", "rakuten"):
        await floor.sell(mall, f"{mall}-1")
    before = await everything(floor)
    told = {mall: await asked(floor, mall, f"{mall}-1") for mall in floor.malls}
    assert await everything(floor) == before

    await floor.damage("MUG", 4)
    for _ in floor.malls:
        await floor.work()
    for mall in floor.malls:
        row = await floor.cancellation(f"{mall}-1")
        answer = told[mall]
        assert (answer.action, answer.reason_code) == ("cancel", row.reason_code)
        assert row.metric_after is not None
        assert answer.after is not None
        assert answer.after.value == row.metric_after["value"]
    assert told["amazon"].crosses_limit
    assert not told["rakuten"].crosses_limit
    assert told["amazon"].sentence == (
        "amazon-1 is open and may be given up, reason NoInventory, counts: yes;"
        " cancel_rate_7_days goes from 0 % to 100 % and reaches the limit of 2.5 %"
        " (thresholds as of 2026-11-01)"
    )
    assert told["rakuten"].headroom_after.startswith("one more out-of-stock cancel until 35 points")


async def test_it_stands_on_top_of_what_is_under_way(floor: Floor) -> None:
    await floor.set_channel("rakuten", desk_policy="review")
    await floor.receive("MUG", 2)
    for number in range(3):
        await floor.sell("rakuten", f"o-{number}")
    await floor.work()

    other, same = await asked(floor, "rakuten", "o-0"), await asked(floor, "rakuten", "o-2")

    assert [m.value for m in (other.before, other.after) if m] == [15, 30]
    assert [m.value for m in (same.before, same.after) if m] == [0, 15]
    assert (other.recorded, same.recorded, same.penalty) == (None, "proposed", None)


async def test_units_that_come_back_are_told_by_sku(floor: Floor) -> None:
    await floor.receive("MUG", 1)
    await floor.receive("TEE", 9)
    await floor.sell("yahoo", "o-1", {"MUG": 3, "TEE": 2})
    told = await asked(floor, "yahoo", "o-1")
    stock = [(back.sku, back.units, back.available, back.available_after) for back in told.stock]
    assert stock == [("MUG", 3, -2, 1), ("TEE", 2, 7, 9)]
    assert (told.worth_yen, len(told.lines), told.lines_left_out) == (5000, 2, 0)


async def test_an_order_that_has_ended_shows_what_it_did(floor: Floor) -> None:
    await floor.receive("MUG", 5)
    await floor.sell("yahoo", "o-1")
    await floor.pull("yahoo", floor.malls["yahoo"].end("o-1", Party.SELLER, "210"))
    await floor.work()
    told = await asked(floor, "yahoo", "o-1")
    [entry] = await floor.entries()
    assert (told.state, told.action, told.recorded, told.penalty) == (
        "cancelled",
        "nothing",
        "observed",
        entry.id,
    )
    assert told.before == told.after
    assert "it has ended, and what it did is in the metric already" in told.sentence


async def test_what_must_wait_weighs_and_what_has_left_does_not(floor: Floor) -> None:
    await floor.receive("MUG", 5)
    await floor.sell("amazon", "locked", cancellable=False)
    await floor.sell("amazon", "theirs", fulfilled_by_channel=True)
    await floor.sell("amazon", "sent")
    [line] = floor.malls["amazon"].orders["sent"].lines
    floor.later(1)
    gone = floor.malls["amazon"].change("sent", lines=(_shipped(line),))
    await floor.pull("amazon", gone)

    locked, theirs, sent = [
        await asked(floor, "amazon", ref) for ref in ("locked", "theirs", "sent")
    ]
    assert (locked.state, locked.action, locked.crosses_limit) == ("locked", "wait", True)
    assert (theirs.state, theirs.counts_against_metric) == ("by_channel", "no")
    assert theirs.before == theirs.after
    assert (sent.state, sent.before == sent.after) == ("shipped", True)


def _shipped(line: Any) -> Any:

    return structs.replace(line, shipped=line.quantity)


async def test_a_store_without_metric_and_orders_nobody_knows(floor: Floor, save: Save) -> None:
    web = ChannelFactory.build(code="web", kind="own_store")
    await save(web)
    await save(SalesOrder(channel_id=web.id, order_ref="w-1", recorded_at=floor.clock.now()))
    told = await asked(floor, "web", "w-1")
    assert (told.before, told.after, told.crosses_limit) == (None, None, False)
    assert (told.ordered_at, told.worth_yen, told.lines) == (None, None, [])
    assert told.headroom_before.startswith("no metric")
    assert told.sentence.endswith("its marketplace has no metric")
    for channel, order_ref in (("web", "w-2"), ("nowhere", "w-1")):
        with pytest.raises(NotFound):
            await asked(floor, channel, order_ref)


async def test_an_incomplete_record_is_said(floor: Floor) -> None:
    await floor.set_channel("amazon", connected_at=floor.clock.now())
    await floor.sell("amazon", "o-1")
    told = await asked(floor, "amazon", "o-1")
    assert told.after is not None
    assert not told.after.history_complete
    assert "our record of the window is not complete" in told.sentence


async def test_the_database_itself_refuses_a_write_while_it_is_asked(floor: Floor) -> None:
    await floor.sell("amazon", "o-1")
    async with floor.database.sessions() as session:
        await dry_run.dry_run(session, "amazon", "o-1", floor.clock.now())
        with pytest.raises(DBAPIError, match="read-only"):
            await session.execute(text("UPDATE channel SET code = 'other'"))


async def test_where_it_stands_now_is_what_the_metric_says(floor: Floor) -> None:
    await floor.receive("MUG", 5)
    await floor.sell("amazon", "o-1")
    told = await asked(floor, "amazon", "o-1")
    async with floor.database.sessions() as session:
        channel = await session.get_one(Channel, floor.ids["amazon"])
        assert told.before == await standings.metric_now(session, channel, floor.clock.now())


async def test_its_cost_is_what_the_desk_reckons_when_it_chooses(floor: Floor) -> None:
    """With no price set, that is by the prices that are assumed."""
    for mall in floor.malls:
        await floor.set_channel(mall, desk_policy="review", costs={})
    await floor.receive("MUG", 1)
    await floor.sell("shopify", "o-1")
    told = await asked(floor, "shopify", "o-1")
    await floor.damage("MUG", 1)
    await floor.work()
    row = await floor.cancellation("o-1")
    assert told.cost is not None
    assert row.cost is not None
    assert told.cost["total_yen"] == row.cost["total_yen"] > 0
    assert told.cost["margin_yen"] == row.cost["margin_yen"]
