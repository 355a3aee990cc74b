"""Callers at the same time: who goes first, who goes away, who is one too many."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from inventory.booking.soundness import look_at
from inventory.combiner import RETRY_SECONDS_MAX, Call, Combiner
from inventory.errors import TooBusy
from inventory.facts import RECORDED, Outcome
from tests.ledger.told import received

SEVERAL = 5


class Gate:
    """Stands in for the database: notes the calls of each commit, and lets them through on word."""

    def __init__(self, *, open_: bool = False) -> None:
        self.batches: list[list[str]] = []
        self.word = asyncio.Event()
        self.error: BaseException | None = None
        if open_:
            self.word.set()

    async def commit(self, calls: Sequence[Call]) -> list[list[Outcome] | Exception]:
        facts: list[Any] = [told.fact for call in calls for told in call.facts]
        self.batches.append([fact.fact_ref for fact in facts])
        await self.word.wait()
        error, self.error = self.error, None
        if error is not None:
            raise error
        return [[RECORDED for _ in call.facts] for call in calls]


def submit(combiner: Combiner, *refs: str) -> asyncio.Task[list[Outcome]]:
    return asyncio.create_task(combiner.submit([look_at(received(ref, 1)) for ref in refs]))


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_while_one_batch_commits_the_next_collects_in_order_of_arrival() -> None:
    gate = Gate()
    combiner = Combiner(gate.commit, facts_max=100)
    first = submit(combiner, "a")
    await turns()
    others = [submit(combiner, f"b{n}") for n in range(SEVERAL)]
    await turns()
    gate.word.set()
    await asyncio.gather(first, *others)
    assert gate.batches == [["a"], [f"b{n}" for n in range(SEVERAL)]]


async def test_nobody_is_overtaken_by_a_smaller_call() -> None:
    gate = Gate()
    combiner = Combiner(gate.commit, facts_max=4)
    first = submit(combiner, "a")
    await turns()
    waiting = [
        submit(combiner, "b", "c"),
        submit(combiner, "d", "e", "f"),
        submit(combiner, "g"),
        submit(combiner, *"hijkl"),
        submit(combiner, "m"),
    ]
    await turns()
    gate.word.set()
    await asyncio.gather(first, *waiting)
    # Five at once are more than a commit takes; they are not split.
    assert gate.batches == [["a"], ["b", "c"], ["d", "e", "f", "g"], [*"hijkl"], ["m"]]


async def test_a_caller_that_goes_away_before_its_turn_leaves_nothing() -> None:
    gate = Gate()
    combiner = Combiner(gate.commit, facts_max=100)
    first = submit(combiner, "a")
    await turns()
    leaving, staying = submit(combiner, "b", "c"), submit(combiner, "d")
    await turns()
    leaving.cancel()
    gate.word.set()
    await asyncio.gather(first, staying)
    assert leaving.cancelled()
    assert gate.batches == [["a"], ["d"]]
    assert combiner.waiting == 0


async def test_when_all_who_wait_have_gone_the_next_caller_is_served() -> None:
    gate = Gate(open_=True)
    combiner = Combiner(gate.commit, facts_max=1)
    leaving = [submit(combiner, f"a{n}") for n in range(SEVERAL)]
    await turns(1)
    for task in leaving[1:]:
        task.cancel()
    await asyncio.wait(leaving)
    await submit(combiner, "b")
    assert gate.batches == [["a0"], ["b"]]
    assert combiner.waiting == 0


async def test_one_too_many_is_told_to_come_back_and_is_not_kept() -> None:
    gate = Gate()
    combiner = Combiner(gate.commit, facts_max=2, waiting_max=3)
    first = submit(combiner, "a")
    await turns()
    waiting = [submit(combiner, ref) for ref in "bcd"]
    await turns()
    refused = await asyncio.gather(
        *(submit(combiner, f"e{n}") for n in range(1_000)), return_exceptions=True
    )
    assert {type(error) for error in refused} == {TooBusy}
    assert all(
        isinstance(error, TooBusy) and 1 <= error.retry_seconds <= RETRY_SECONDS_MAX
        for error in refused
    )
    assert (combiner.waiting, len(combiner._calls)) == (3, 3)
    gate.word.set()
    await asyncio.gather(first, *waiting)
    await submit(combiner, "f", "g", "h", "i")  # more than may wait, but nothing waits
    assert gate.batches == [["a"], ["b", "c"], ["d"], ["f", "g", "h", "i"]]


async def test_callers_that_go_away_make_room_when_their_turn_comes() -> None:
    gate = Gate()
    combiner = Combiner(gate.commit, facts_max=2, waiting_max=3)
    first = submit(combiner, "a")
    await turns()
    waiting = [submit(combiner, ref) for ref in "bcd"]
    await turns()
    for task in waiting:
        task.cancel()
    await turns()
    with pytest.raises(TooBusy):
        await submit(combiner, "e")
    gate.word.set()
    await first
    await submit(combiner, "f")
    assert gate.batches == [["a"], ["f"]]


async def test_an_unforeseen_error_is_heard_by_its_callers_and_by_nobody_else() -> None:
    gate = Gate()
    combiner = Combiner(gate.commit, facts_max=2)
    gate.error = ZeroDivisionError("a fault of ours")
    broken = submit(combiner, "a")
    await turns()
    whole = [submit(combiner, ref) for ref in "bcd"]
    gate.word.set()
    with pytest.raises(ZeroDivisionError):
        await broken
    assert await asyncio.gather(*whole) == [[RECORDED]] * 3
    assert await submit(combiner, "e") == [RECORDED]


async def test_when_the_work_itself_is_ended_nobody_waits_for_ever() -> None:
    gate = Gate()
    combiner = Combiner(gate.commit, facts_max=1)
    callers = [submit(combiner, ref) for ref in "abc"]
    await turns()
    assert combiner._drain is not None
    combiner._drain.cancel()
    await asyncio.wait(callers, timeout=10)
    assert [caller.cancelled() for caller in callers] == [True] * 3
    gate.word.set()
    assert await submit(combiner, "d") == [RECORDED]
