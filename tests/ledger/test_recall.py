"""What a process remembers of a SKU saves it a look, and never a truth."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from inventory.clock import Clock
from inventory.db import Database
from inventory.facts import Fact, Outcome, ReservationAsked, SaleLine, Status
from inventory.ledger import Ledger
from tests.conftest import Save
from tests.factories import NOON, ChannelFactory, ListingFactory, SkuFactory
from tests.ledger.told import ask, levels, received, sale, statuses
from tests.rivals import ANSWER, Staged, until_waiting

Rival = Callable[[Database, Ledger], Awaitable[object]]
UNITS = 12


class Process:
    """A process that has sold MUG lately: it knows what it left."""

    def __init__(self, stage: Staged, clock: Clock) -> None:
        self.stage = stage
        self.ledger = Ledger(stage, clock)

    async def warm(self, make: Callable[[str], Fact] = ask) -> None:
        """Two holds: the second batch finds what the first has left."""
        for name in ("w-1", "w-2"):
            [outcome] = await self.ledger.apply([make(name)])
            assert outcome.status is Status.GRANTED

    async def tell(self, fact: Fact, **acts: Any) -> Outcome:
        """Tell one fact; `act` comes right before the first statement, `answer` after a COMMIT."""
        script = {0: acts["act"]} if "act" in acts else {}
        if "answer" in acts:
            script[ANSWER] = acts["answer"]
        self.stage.play(script)
        [outcome] = await self.ledger.apply([fact])
        assert self.stage.is_over
        return outcome


@pytest.fixture
async def process(
    database_url: str, clock: Clock, save: Save, ledger: Ledger
) -> AsyncIterator[Process]:
    await save(SkuFactory.build(code="MUG"), SkuFactory.build(code="TEE"))
    await ledger.apply([received("in-1", UNITS), received("in-2", UNITS, "TEE")])
    stage = Staged(database_url)
    yield Process(stage, clock)
    await stage.aclose()


async def test_what_nobody_else_sells_takes_one_statement(
    process: Process, database: Database
) -> None:
    await process.warm()
    assert (await process.tell(ask("a", 3))).status is Status.GRANTED
    assert process.stage.statements == 1
    assert (await levels(database))["MUG", "main"] == (UNITS, 5)


async def test_whoever_is_not_alone_takes_turns(
    process: Process, database: Database, ledger: Ledger
) -> None:
    await process.warm()
    await ledger.apply([sale("r-1", 2)])
    assert (await process.tell(ask("a", 3))).status is Status.GRANTED
    reads = process.stage.statements
    await ledger.apply([sale("r-2", 2)])
    assert (await process.tell(ask("b", 3))).status is Status.GRANTED
    # Begin, lock, write, commit: what the others change is read under lock, and no more.
    assert process.stage.statements == 4 < reads
    assert (await levels(database))["MUG", "main"] == (UNITS, UNITS)
    assert (await process.tell(ask("c", 1))).status is Status.REFUSED


async def test_a_rule_changed_while_processes_take_turns_is_seen(
    process: Process, database: Database, ledger: Ledger
) -> None:
    await process.warm()
    await ledger.apply([sale("r-1", 1)])
    assert (await process.tell(ask("a", 1))).status is Status.GRANTED
    await ledger.apply([sale("r-2", 1)])
    pool = await database.pool()
    await pool.execute("UPDATE sku SET safety_stock = 7 WHERE code = 'MUG'")
    assert (await process.tell(ask("b", 1))).status is Status.REFUSED
    assert (await levels(database))["MUG", "main"] == (UNITS, 5)


async def test_what_is_not_granted_is_looked_at(process: Process, database: Database) -> None:
    await process.warm()
    assert (await process.tell(ask("a", UNITS))).status is Status.REFUSED
    assert process.stage.statements > 1
    assert (await process.tell(ask("b", UNITS - 2))).status is Status.GRANTED
    assert (await levels(database))["MUG", "main"] == (UNITS, UNITS)


async def test_a_name_used_before_gets_its_first_answer(process: Process) -> None:
    await process.warm()
    again = await process.tell(ask("w-1"))
    assert (again.status, again.repeated) == (Status.GRANTED, True)
    await process.warm(lambda name: ask(name + "x"))
    assert (await process.tell(ask("w-1", 2))).status is Status.CONFLICT


async def sell(_: Database, rival: Ledger) -> None:
    """All but one unit go to others."""
    await rival.apply([sale("r-1", UNITS - 3)])


async def sell_elsewhere(database: Database, rival: Ledger) -> None:
    """A channel that is fed by another location sells what is not there: the pool is short."""
    pool = await database.pool()
    annex = await pool.fetchval(
        "INSERT INTO location (code, sellable) VALUES ('annex', true) RETURNING id"
    )
    await pool.execute("UPDATE channel SET location_ids = ARRAY[$1::int] WHERE id = 0", annex)
    await rival.apply([sale("r-1", UNITS - 3)])
    await pool.execute("UPDATE channel SET location_ids = NULL WHERE id = 0")


def by(statement: str) -> Rival:
    """Somebody changes a rule."""

    async def change(database: Database, _: Ledger) -> None:
        await (await database.pool()).execute(statement)

    return change


RIVALS: dict[str, Rival] = {
    "a sale": sell,
    "a sale from another location": sell_elsewhere,
    "safety stock": by("UPDATE sku SET safety_stock = 9 WHERE code = 'MUG'"),
    "a location taken out of sale": by("UPDATE location SET sellable = (code = 'damaged')"),
    "a channel's locations": by(
        "UPDATE channel SET location_ids = (SELECT array_agg(id) FROM location"
        " WHERE code = 'damaged') WHERE id = 0"
    ),
}


@pytest.mark.parametrize("name", RIVALS)
async def test_what_another_has_changed_is_seen(
    process: Process, database: Database, ledger: Ledger, name: str
) -> None:
    await process.warm()

    async def act(_: object) -> None:
        await RIVALS[name](database, ledger)

    outcome = await process.tell(ask("a", 2), act=act)
    assert (outcome.status, outcome.code) == (Status.REFUSED, "insufficient_stock")
    assert (await levels(database))["MUG", "main"][1] in {2, UNITS - 1}


async def test_whoever_waits_for_a_sale_sees_it(
    process: Process, database: Database, database_url: str, clock: Clock
) -> None:
    await process.warm()
    rival = Staged(database_url)
    told: list[asyncio.Task[Outcome]] = []

    async def meet(_: object) -> None:
        """The rival is about to commit, and holds the balance."""
        told.append(asyncio.ensure_future(process.tell(ask("a", 2))))
        await until_waiting(database, told[0])
        assert not told[0].done()

    rival.play({6: meet})
    await Ledger(rival, clock).apply([sale("r-1", UNITS - 3)])
    assert rival.is_over
    assert (await told[0]).status is Status.REFUSED
    assert (await levels(database))["MUG", "main"] == (UNITS, UNITS - 1)
    await rival.aclose()


async def test_a_listing_that_means_another_sku_now_is_seen(
    process: Process, database: Database, save: Save
) -> None:
    pool = await database.pool()
    channel = ChannelFactory.build()
    mug, tee = [row[0] for row in await pool.fetch("SELECT id FROM sku ORDER BY code LIMIT 2")]
    await save(channel)
    await save(ListingFactory.build(channel_id=channel.id, sku_id=mug, channel_sku="R-MUG"))

    def listed(name: str) -> Fact:
        lines = (SaleLine(line_ref="1", channel_sku="R-MUG", quantity=1),)
        return ReservationAsked(channel_id=channel.id, fact_ref=name, occurred_at=NOON, lines=lines)

    async def act(_: object) -> None:
        await pool.execute("UPDATE listing SET sku_id = $1", tee)

    await process.warm(listed)
    assert (await process.tell(listed("a"))).status is Status.GRANTED
    assert process.stage.statements == 1
    assert (await process.tell(listed("b"), act=act)).status is Status.GRANTED
    found = await levels(database)
    assert (found["MUG", "main"], found["TEE", "main"]) == ((UNITS, 3), (UNITS, 1))


@pytest.mark.parametrize("moment", ["act", "answer"])
async def test_a_lost_connection_leaves_one_hold(
    process: Process, database: Database, moment: str
) -> None:
    await process.warm()
    acts = {"act": process.stage.cut, "answer": process.stage.lose_answer}
    outcome = await process.tell(ask("a", 2), **{moment: acts[moment]})
    assert outcome.status is Status.GRANTED
    assert (await levels(database))["MUG", "main"] == (UNITS, 4)


async def test_two_processes_in_turn_never_sell_a_unit_twice(
    process: Process, database_url: str, database: Database, clock: Clock
) -> None:
    await process.warm()
    other = Staged(database_url)
    sellers = [process.ledger, Ledger(other, clock)]
    told = await asyncio.gather(
        *(sellers[n // 3 % 2].apply([ask(f"a-{n}")]) for n in range(3 * UNITS))
    )
    granted = statuses([outcome for [outcome] in told]).count(Status.GRANTED)
    assert granted == UNITS - 2
    assert (await levels(database))["MUG", "main"] == (UNITS, UNITS)
    await other.aclose()
