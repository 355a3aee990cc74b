"""What a process may remember for a while, and what it asks the database together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from inventory.gathered import Gathered
from inventory.remembered import KEPT_MAX, Remembered
from tests.conftest import HandClock


class Shelf:
    """Something that is looked up; looks wait until they may go on."""

    def __init__(self) -> None:
        self.looks: list[object] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.broken = False

    async def one(self, key: str) -> str:
        self.looks.append(key)
        await self.gate.wait()
        if self.broken:
            raise ConnectionError
        return f"{key} at look {len(self.looks)}"

    async def many(self, keys: Sequence[str]) -> dict[str, str]:
        self.looks.append(sorted(keys))
        await self.gate.wait()
        if self.broken:
            raise ConnectionError
        return {key: f"{key} at look {len(self.looks)}" for key in keys if key != "none"}


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


async def test_an_answer_is_remembered_for_five_seconds(shelf: Shelf, clock: HandClock) -> None:
    remembered = Remembered(clock, shelf.one)

    assert await remembered.get("a") == "a at look 1"
    clock.moment += timedelta(seconds=4.999)
    assert await remembered.get("a") == "a at look 1"
    clock.moment += timedelta(seconds=0.001)
    assert await remembered.get("a") == "a at look 2"


async def test_five_seconds_count_from_the_beginning_of_the_look(
    shelf: Shelf, clock: HandClock
) -> None:
    remembered = Remembered(clock, shelf.one)
    shelf.gate.clear()
    slow = asyncio.create_task(remembered.get("a"))
    await asyncio.sleep(0)
    clock.moment += timedelta(seconds=6)
    shelf.gate.set()

    assert await slow == "a at look 1"
    assert await remembered.get("a") == "a at look 2"


async def test_a_clock_that_is_set_back_makes_no_answer_live_longer(
    shelf: Shelf, clock: HandClock
) -> None:
    remembered = Remembered(clock, shelf.one)
    await remembered.get("a")
    clock.moment -= timedelta(hours=1)

    assert await remembered.get("a") == "a at look 2"


async def test_many_who_ask_at_once_share_one_look(shelf: Shelf, clock: HandClock) -> None:
    remembered = Remembered(clock, shelf.one)
    shelf.gate.clear()
    asking = [asyncio.create_task(remembered.get("a")) for _ in range(5)]
    await asyncio.sleep(0)
    asking[0].cancel()
    await asyncio.sleep(0)
    shelf.gate.set()

    answers = await asyncio.gather(*asking, return_exceptions=True)

    assert isinstance(answers[0], asyncio.CancelledError)
    assert answers[1:] == ["a at look 1"] * 4


async def test_an_error_is_not_remembered(shelf: Shelf, clock: HandClock) -> None:
    remembered = Remembered(clock, shelf.one)
    shelf.broken = True
    with pytest.raises(ConnectionError):
        await remembered.get("a")
    shelf.broken = False

    assert await remembered.get("a") == "a at look 2"


async def test_the_oldest_answers_are_forgotten_first(shelf: Shelf, clock: HandClock) -> None:
    remembered = Remembered(clock, shelf.one)
    for number in range(KEPT_MAX + 1):
        await remembered.get(str(number))

    await remembered.get("1")
    assert len(shelf.looks) == KEPT_MAX + 1
    await remembered.get("0")
    assert len(shelf.looks) == KEPT_MAX + 2


async def test_questions_during_a_look_are_asked_together_by_the_next(shelf: Shelf) -> None:
    gathered = Gathered(shelf.many)
    shelf.gate.clear()
    first = asyncio.create_task(gathered.get(["a"]))
    for _ in range(3):
        await asyncio.sleep(0)
    others = [asyncio.create_task(gathered.get(keys)) for keys in (["a"], ["b", "none"], [])]
    for _ in range(3):
        await asyncio.sleep(0)
    shelf.gate.set()

    assert await first == {"a": "a at look 1"}
    assert await asyncio.gather(*others) == [{"a": "a at look 2"}, {"b": "b at look 2"}, {}]
    assert shelf.looks == [["a"], ["a", "b", "none"]]


async def test_a_look_that_fails_fails_those_who_asked_and_nobody_after_them(
    shelf: Shelf,
) -> None:
    gathered = Gathered(shelf.many)
    shelf.broken = True
    answers = await asyncio.gather(*(gathered.get([key]) for key in "ab"), return_exceptions=True)
    assert [type(answer) for answer in answers] == [ConnectionError, ConnectionError]
    shelf.broken = False

    assert await gathered.get(["a"]) == {"a": "a at look 2"}


async def test_who_goes_away_leaves_the_look_to_the_others(shelf: Shelf) -> None:
    gathered = Gathered(shelf.many)
    shelf.gate.clear()
    asking = [asyncio.create_task(gathered.get([key])) for key in "abc"]
    for _ in range(3):
        await asyncio.sleep(0)
    asking[0].cancel()
    shelf.gate.set()

    answers = await asyncio.gather(*asking, return_exceptions=True)

    assert isinstance(answers[0], asyncio.CancelledError)
    assert answers[1:] == [{"b": "b at look 1"}, {"c": "c at look 1"}]
