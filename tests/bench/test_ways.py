"""Each way that is measured, for a moment: it writes what it says, and the books agree."""

from __future__ import annotations

import msgspec
import pytest

from inventory.bench import books, expiry, growth, ways
from inventory.bench.limit import BATCHES, CONNECTIONS, Tuning, tunings
from inventory.bench.load import Told
from inventory.bench.ours import ours
from inventory.bench.place import FEW_UNITS, Place
from inventory.bench.scenarios import HOT, MULTI, Scenario
from inventory.bench.stand import Stand
from inventory.bench.ways import RUSH_CALLERS, RUSH_TIMES

OPENING = 61 + 4 * 50
SOME = Scenario(name="SOME", skus=60)


@pytest.mark.parametrize("way", ["ours", "naive", "atomic"])
@pytest.mark.parametrize("scenario", [HOT, SOME, MULTI], ids=lambda scenario: str(scenario.name))
async def test_a_way_sells_what_it_says(stand: Stand, way: str, scenario: Scenario) -> None:
    sample = await ways.sell(stand, way, scenario, 4)

    assert sample.books.faults == ()
    assert sample.books.deadlocks == 0
    assert sample.refusals == 0
    sold = sample.books.facts - OPENING
    assert sold >= 4
    assert sample.books.movements - OPENING == sold * scenario.lines
    assert sample.storage.bytes_per_movement > 0


@pytest.mark.parametrize(
    ("scenario", "tuning"),
    [
        (HOT, Tuning(batch=10)),
        (HOT, Tuning(batch=10, returning=True)),
        (SOME, Tuning(batch=25)),
        (SOME, Tuning(batch=25, connections=3)),
        (MULTI, Tuning(batch=25, connections=3)),
    ],
    ids=str,
)
async def test_the_limit_writes_the_same_rows(
    stand: Stand, scenario: Scenario, tuning: Tuning
) -> None:
    sample = await ways.sell_in_batches(stand, scenario, tuning)

    assert sample.books.faults == ()
    assert sample.books.deadlocks == 0
    sold = sample.books.facts - OPENING
    assert sold >= tuning.batch * tuning.connections
    assert sample.books.movements - OPENING == sold * scenario.lines


def test_the_hot_limit_is_looked_for_on_one_connection() -> None:
    assert {tuning.connections for tuning in tunings(HOT)} == {1}
    assert {tuning.batch for tuning in tunings(HOT)} == set(BATCHES)
    assert len(tunings(MULTI)) == len(BATCHES) * len(CONNECTIONS)


@pytest.mark.parametrize("way", ["ours", "naive", "atomic"])
async def test_many_callers_get_the_few_units_that_are_there(stand: Stand, way: str) -> None:
    found = await ways.rush(stand, way)

    assert RUSH_CALLERS * RUSH_TIMES > FEW_UNITS
    assert found.faults == ()


@pytest.mark.parametrize("way", ["naive", "atomic"])
async def test_a_basket_is_sold_whole_or_not_at_all(where: Place, way: str) -> None:
    before, told = await books.opening(where), Told()

    async with ways.ORDINARY[way](where) as sell:
        for number in range(FEW_UNITS):
            assert await sell(f"few-{number}", (where.few,))
            told.grants += 1
            told.reserved[where.few] += 1
        refused = await sell("basket", (3, where.few, 5))

    assert not refused
    assert (await books.check(where, before, told)).faults == ()


async def test_what_was_granted_is_told_again_and_answered_as_the_first_time(where: Place) -> None:
    async with ours(where) as till:
        assert await till.sell("o-1", (0,))
        assert await till.tell_again() == []
        fact, outcome = till.kept[0]
        # As if the first answer had been given to somebody else under another name.
        till.kept[0] = (msgspec.structs.replace(fact, fact_ref="o-2"), outcome)
        assert await till.tell_again() == ["o-2 was granted, and told again granted"]


async def test_a_grown_ledger_is_whole_and_sells(where: Place, stand: Stand) -> None:
    said: list[str] = []

    await growth.fill(where, 100, said.append)
    before = await books.opening(where)
    grown = growth.Grown(stand, where, before)
    sample = await grown.sell(HOT, 4)

    # A hundred movements over sixty SKUs are rounded up to two each.
    assert said == ["filled 120 of 120 movements"]
    assert sample.books.faults == ()
    found = await grown.check()
    assert found.faults == ()
    assert found.movements >= OPENING + 120 + 4


async def test_holds_that_are_over_wait_to_be_given_back(where: Place) -> None:
    before, told = await books.opening(where), Told()

    await expiry.hold(where, 9, told, count=1_000)
    await expiry.note_what_is_held(where, told)

    assert told.grants == 1_000
    assert sum(told.reserved.values()) == 1_000
    assert (await books.check(where, before, told)).faults == ()
