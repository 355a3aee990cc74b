"""A rival acts, or the database fails, between any two statements of a batch.

What was answered and what the books hold must be what one order of the two calls gives, told to
the model (see `tests/ledger/machine`); a refusal has changed nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import asyncpg
import pytest

from inventory import facts as f
from inventory import ledger as door
from tests.ledger.machine import books
from tests.ledger.machine.house import House
from tests.ledger.machine.linear import Asked, explain
from tests.ledger.machine.model import answer_of
from tests.ledger.short import Short
from tests.rivals import ANSWER, Staged, raising, until_waiting

# More statements than any of these batches has.
STATEMENTS_MAX = 40
Tell = Callable[[Short], list[f.Fact]]

HAVE: Tell = lambda t: [  # noqa: E731 -- a story in one line, as those below
    t.receive("MUG", 8),
    t.receive("TEE", 9),
    t.ask("hold", {"MUG": 2}),
    t.sale("old", {"MUG": 1}),
    t.expect("soon", "MUG", 5),
    t.send("cart", "TEE", 3),
    t.count("far", "TEE", 90),
    t.sale("short", {"BOX": 3}),
]

# What we tell and what the rival tells, by a name.
RACES: dict[str, tuple[Tell, Tell]] = {
    "the same sale": (lambda t: [t.sale("o", {"MUG": 3})], lambda t: [t.sale("o", {"MUG": 3})]),
    "one name, two contents": (
        lambda t: [t.sale("o", {"MUG": 3})],
        lambda t: [t.sale("o", {"MUG": 4})],
    ),
    "one order, sold and cancelled": (
        lambda t: [t.sale("o", {"MUG": 3})],
        lambda t: [t.cancel("o")],
    ),
    "one order, cancelled and shipped": (lambda t: [t.cancel("old")], lambda t: [t.ship("old")]),
    "the last units": (lambda t: [t.ask("a", {"MUG": 4})], lambda t: [t.ask("b", {"MUG": 3})]),
    "the first balance of a SKU": (
        lambda t: [t.sale("o", {"CAP": 1}), t.ask("a", {"CAP": 1})],
        lambda t: [t.receive("CAP", 5), t.ask("b", {"CAP": 4})],
    ),
    "first balances at two locations": (
        lambda t: [t.sale("o", {"CAP": 4})],
        lambda t: [t.receive("CAP", 9, "annex")],
    ),
    "a balance at a second location": (
        lambda t: [t.sale("o", {"MUG": 6})],
        lambda t: [t.move("MUG", 8)],
    ),
    "a shortage that ends elsewhere": (
        lambda t: [t.sale("o", {"BOX": 2}, shop=3)],
        lambda t: [t.receive("BOX", 4)],
    ),
    "a new supply": (
        lambda t: [t.expect("new", "MUG", 5)],
        lambda t: [t.expect("new", "MUG", 7), t.receive("MUG", 1, supply="new")],
    ),
    "a supply that ends while it is sold ahead": (
        lambda t: [t.end_supply("soon")],
        lambda t: [t.ask("a", {"mug": 8})],
    ),
    "a supply that comes while it is sold ahead": (
        lambda t: [t.expect("more", "MUG", 5)],
        lambda t: [t.sale("o", {"MUG": 12})],
    ),
    "a supply that ends while it is received": (
        lambda t: [t.receive("MUG", 3, supply="soon")],
        lambda t: [t.end_supply("soon"), t.expect("soon", "MUG", 2)],
    ),
    "a hold that is given back twice": (
        lambda t: [t.release("hold")],
        lambda t: [t.release("hold", name="expired")],
    ),
    "a hold that is bought and expires": (
        lambda t: [t.sale("o", {"MUG": 1}, hold="hold", keep_rest=True)],
        lambda t: [t.release("hold", name="expired")],
    ),
    "a hold that two orders name": (
        lambda t: [t.sale("o", {"MUG": 1}, hold="hold", keep_rest=True)],
        lambda t: [t.sale("p", {"MUG": 2}, hold="hold")],
    ),
    "a hold that is asked for again and bought": (
        lambda t: [t.ask("a", {"MUG": 3}), t.sale("o", {"MUG": 3}, hold="a")],
        lambda t: [t.ask("a", {"MUG": 3})],
    ),
    "a hold that was not there yet": (
        lambda t: [t.ask("b", {"MUG": 3}), t.release("a")],
        lambda t: [t.ask("a", {"MUG": 3})],
    ),
    "a transfer that arrives twice": (
        lambda t: [t.arrive("cart", 2)],
        lambda t: [t.arrive("cart", 1, name="b"), t.arrive("cart", 1, name="c")],
    ),
    "one transfer's name on two channels": (
        lambda t: [t.send("x", "MUG", 2)],
        lambda t: [t.send("x", "TEE", 1, channel=1)],
    ),
    "a transfer that is sent and arrives": (
        lambda t: [t.send("x", "MUG", 2), t.arrive("x", 1)],
        lambda t: [t.send("x", "MUG", 2)],
    ),
    "a count while units leave": (
        lambda t: [t.count("c", "MUG", 7)],
        lambda t: [t.ship("old"), t.move("MUG", 2)],
    ),
    "two recounts of one count": (
        lambda t: [t.count("c", "TEE", 80, age=-1, of="far")],
        lambda t: [t.count("d", "TEE", 70, age=-2, of="far")],
    ),
    "the same snapshot": (lambda t: [t.see("o", 2, 5)], lambda t: [t.see("o", 2, 6)]),
    "snapshots of two moments": (lambda t: [t.see("o", 2, 9)], lambda t: [t.see("o", 3, 5)]),
    "a kit and its part": (
        lambda t: [t.ask("a", {"SET": 3, "TEE": 1})],
        lambda t: [t.sale("o", {"TEE": 2}), t.ask("b", {"BIG": 1})],
    ),
}

# A batch that writes to every table.
ALL: Tell = lambda t: [  # noqa: E731 -- the same
    t.sale("o", {"MUG": 3, "SET": 1, "CAP": 2}, hold="hold", keep_rest=True),
    t.ask("a", {"MUG": 1}),
    t.ask("b", {"MUG": 99}),
    t.send("x", "TEE", 1),
    t.arrive("cart", 2),
    t.expect("new", "CAP", 4),
    t.receive("MUG", 1, supply="soon"),
    t.count("c", "TEE", 4),
    t.see("p", 2, 5),
    t.move("NONE", 1),
    t.cancel("old"),
]


@pytest.fixture
async def stages(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The connections of three processes."""
    monkeypatch.setattr(door, "LOST_PAUSE_SECONDS", 0.002)
    stages = [Staged(database_url) for _ in range(3)]
    yield stages
    for stage in stages:
        await stage.aclose()


async def opened(stages: Sequence[Staged]) -> tuple[House, Short]:
    """A house of names of its own, with what the stories begin with."""
    for stage in stages:
        stage.play()
    house = House(list(stages))
    await house.open()
    tell = Short(house)
    facts = HAVE(tell)
    outcomes = await house.ledgers[0].apply(facts)
    assert [*map(answer_of, outcomes)] == house.model.apply(facts, house.clock.now())
    return house, tell


async def told(house: House, call: Asked) -> None:
    outcomes = await house.ledgers[call.process].apply(call.facts, together=call.together)
    call.answers = [*map(answer_of, outcomes)]


async def check(house: House, calls: Sequence[Asked], where: object) -> None:
    found = await house.books()
    if explain(house.model, calls, found, house.clock.now()) is None:
        model = house.model.copy()
        said = [model.apply(call.facts, house.clock.now()) for call in calls]
        differences = "\n".join(books.differences(found, books.of(model.state)))
        answers = [call.answers for call in calls]
        pytest.fail(f"before statement {where}: {answers}\nnot {said}\n{differences}")


@pytest.mark.parametrize("name", RACES)
async def test_a_rival_between_any_two_statements(stages: list[Staged], name: str) -> None:
    ours, theirs = RACES[name]
    for number in range(STATEMENTS_MAX):
        house, tell = await opened(stages)
        calls = [Asked(process=0, facts=ours(tell)), Asked(process=1, facts=theirs(tell))]
        rivals: list[asyncio.Task[None]] = []

        async def rival(
            _: Any, house: House = house, call: Asked = calls[1], rivals: list[Any] = rivals
        ) -> None:
            rivals.append(asyncio.create_task(told(house, call)))
            await until_waiting(stages[2], rivals[0])

        stages[0].play({number: rival})
        await told(house, calls[0])
        if not rivals:
            assert number >= 4
            return
        await rivals[0]
        await check(house, calls, number)
    pytest.fail("there were more statements than were looked at")


FAULTS: dict[str, Callable[[Staged], Any]] = {
    "the session is ended": lambda stage: stage.cut,
    "a deadlock": lambda _: raising(asyncpg.DeadlockDetectedError("deadlock detected")),
    "a name is taken meanwhile": lambda _: raising(asyncpg.UniqueViolationError("duplicate key")),
    "no answer in time": lambda _: raising(TimeoutError()),
    "the network is gone": lambda _: raising(ConnectionResetError()),
}


@pytest.mark.parametrize(
    ("fault", "together"), [*((fault, False) for fault in FAULTS), ("the session is ended", True)]
)
async def test_a_fault_between_any_two_statements_leaves_no_trace(
    stages: list[Staged], fault: str, together: bool
) -> None:
    for number in [ANSWER, *range(STATEMENTS_MAX)]:
        house, tell = await opened(stages)
        call = Asked(process=0, facts=ALL(tell), together=together)
        stages[0].play({number: FAULTS[fault](stages[0])})
        if number == ANSWER:
            stages[0].play({ANSWER: stages[0].lose_answer})
        await told(house, call)
        if not stages[0].is_over:
            assert number >= 4
            return
        await check(house, [call], number)
    pytest.fail("there were more statements than were looked at")


async def test_a_recipe_that_changes_meanwhile_is_the_old_one_or_the_new_one(
    stages: list[Staged],
) -> None:
    for number in range(STATEMENTS_MAX):
        house, tell = await opened(stages)
        before = house.model.copy()
        before.apply([tell.sale("o", {"SET": 2})], house.clock.now())
        changed: list[bool] = []

        async def rival(_: Any, house: House = house, changed: list[bool] = changed) -> None:
            await house.change_recipe("SET", {"MUG": 2, "CAP": 1})
            changed.append(True)

        stages[0].play({number: rival})
        await house.ledgers[0].apply([tell.sale("o", {"SET": 2})])
        if not changed:
            return
        house.model.apply([tell.sale("o", {"SET": 2})], house.clock.now())
        found = await house.books()
        ways = [books.differences(found, books.of(one.state)) for one in (before, house.model)]
        assert [] in ways, (number, ways)
        await house.ledgers[0].apply([tell.cancel("o")])
        last = {tuple(row[:2]): row[3] for row in (await house.books())["levels"]}
        assert (last[house.name("MUG"), "main"], last[house.name("TEE"), "main"]) == (3, 0)
    pytest.fail("there were more statements than were looked at")


async def test_what_fails_together_is_undone_in_the_midst_of_a_batch(stages: list[Staged]) -> None:
    """Orders, holds, supplies, transfers and counts that others of the batch have just changed."""
    house, tell = await opened(stages)
    mine = [
        *(tell.ask("a", {"MUG": 1}), tell.send("x", "TEE", 1), tell.expect("new", "CAP", 4)),
        *(tell.sale("p", {"MUG": 1}), tell.count("c", "TEE", 4, age=5), tell.ship("old")),
    ]
    undone = [
        *(tell.release("a"), tell.arrive("x", 1), tell.end_supply("new"), tell.cancel("p")),
        *(tell.count("d", "TEE", 5), tell.receive("CAP", 1, supply="new"), tell.release("hold")),
        tell.count("e", "TEE", 80, age=-1, of="far"),
        *(tell.sale("q", {"CAP": 1}, hold="hold"), tell.arrive("cart", 1), tell.move("NONE", 1)),
    ]
    calls = [
        Asked(process=0, facts=mine),
        Asked(process=0, facts=undone, together=True),
        Asked(process=0, facts=[tell.sale("r", {"MUG": 1}, hold="a"), *undone[1:-1]]),
    ]
    await asyncio.gather(*(told(house, call) for call in calls))
    assert {answer.code for answer in calls[1].answers or ()} == {"not_together", "unknown_sku"}
    await check(house, calls, "any")
