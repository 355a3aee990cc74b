"""That a hold was given back is told for certain, and once, wherever a worker dies."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from inventory.desk import spare_holds
from inventory.desk.spare_holds import Spare
from inventory.facts import SaleLine, SaleReceived
from inventory.models import Message, Mitigation
from tests.desk.conftest import Floor
from tests.desk.test_chosen_anew import tend
from tests.desk.test_spare_holds import hold


@pytest.fixture
async def short(floor: Floor) -> Floor:
    """Two mugs short, two baskets that nobody paid, and an order that is to be spared."""
    await floor.receive("MUG", 3)
    await hold(floor, "b-1", 1)
    await hold(floor, "b-2", 1)
    await floor.sell("rakuten", "o-1")
    floor.later(15 * 60)
    await floor.damage("MUG", 2)
    return floor


async def begin(floor: Floor) -> list[Spare]:
    """A worker notes what goes back."""
    case = (await floor.case()).id
    async with floor.database.transaction() as session:
        return await spare_holds.begin(session, case, floor.clock.now())


async def note(floor: Floor) -> int:
    """A worker tells what has gone back."""
    case = (await floor.case()).id
    async with floor.database.transaction() as session:
        return await spare_holds.note(session, case, floor.clock.now())


async def told(floor: Floor) -> list[tuple[str, int]]:
    """The messages to the store: (reservation, units)."""
    rows = await floor.rows(
        select(Message).where(Message.event == "reservation.released").order_by(Message.id)
    )
    return [(row.body["reservation_ref"], row.body["units"]) for row in rows]


async def settled(floor: Floor) -> None:
    """Both holds went back and were told of, once; the case is over, and no order went."""
    assert await told(floor) == [("b-2", 1), ("b-1", 1)]
    assert (await floor.steps()).count("hold_released") == 2
    assert await floor.stock() == (1, 1)
    assert await floor.states() == {}
    assert (await floor.case()).state == "closed"
    [held] = await floor.rows(select(Mitigation).where(Mitigation.kind == "holds"))
    assert (held.state, held.units) == ("done", 2)
    assert held.detail == {"result": "2 units of holds were released"}
    await floor.work(2)
    assert len(await told(floor)) == 2


async def test_a_worker_dies_after_the_ledger_has_given_the_holds_back(short: Floor) -> None:
    spare = await begin(short)
    await short.ledger.apply([each.release for each in spare])
    assert await short.stock() == (1, 1)
    assert await told(short) == []

    await short.work()

    await settled(short)


async def test_a_worker_dies_before_the_ledger_was_asked(short: Floor) -> None:
    assert [each.release.reservation_ref for each in await begin(short)] == ["b-2", "b-1"]
    short.later(60)

    await short.work()

    await settled(short)


async def test_a_case_is_not_closed_before_the_store_is_told(short: Floor) -> None:
    """Another worker looks at the case between the ledger's commit and the note."""
    spare = await begin(short)
    await short.ledger.apply([each.release for each in spare])
    assert (await short.case()).shortage == 0
    await tend(short)
    assert (await short.case()).state == "open"

    assert await note(short) == 2
    await short.work()
    await settled(short)


async def test_two_workers_give_the_same_holds_back_at_once(short: Floor) -> None:
    first, second = await begin(short), await begin(short)
    assert first == second
    for spare in (first, second):
        await short.ledger.apply([each.release for each in spare])

    assert [await note(short), await note(short)] == [2, 0]

    await short.work()
    await settled(short)


async def test_a_basket_that_became_an_order_just_before_was_not_given_back(short: Floor) -> None:
    """Its buyer paid between the desk's look and the ledger's decision."""
    spare = await begin(short)
    now = short.clock.now()
    order = SaleReceived(
        channel_id=short.ids["shopify"],
        fact_ref="o-2",
        occurred_at=now,
        order_ref="o-2",
        lines=(SaleLine(line_ref="1", sku="MUG", quantity=1),),
        reservation_ref="b-2",
    )
    await short.ledger.apply([order])
    await short.ledger.apply([each.release for each in spare])

    assert await note(short) == 1

    assert await told(short) == [("b-1", 1)]
    assert await short.stock() == (1, 2)
    [held] = await short.rows(select(Mitigation).where(Mitigation.kind == "holds"))
    assert (held.state, held.units) == ("done", 1)
