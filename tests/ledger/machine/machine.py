"""The state machine: steps that Hypothesis chooses, each compared with the model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, ClassVar

import asyncpg
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from inventory import facts as f
from tests.ledger.machine import books
from tests.ledger.machine.draw import KINDS, small_hold
from tests.ledger.machine.house import PROCESSES, SKUS, House
from tests.ledger.machine.linear import Asked, explain
from tests.ledger.machine.model import answer_of
from tests.ledger.machine.teller import Teller
from tests.rivals import ANSWER, Staged, raising

# A batch is told in fewer statements than these.
STATEMENTS_MAX = 20
FAULTS: tuple[Callable[[Staged], Any], ...] = (
    lambda stage: stage.cut,
    lambda _: raising(asyncpg.DeadlockDetectedError("deadlock detected")),
    lambda _: raising(asyncpg.UniqueViolationError("duplicate key value")),
    lambda _: raising(TimeoutError()),
)


class LedgerMachine(RuleBasedStateMachine):
    """One example: a house of its own, up to fifty steps. Set `stages` and `runner` before."""

    stages: ClassVar[list[Staged]]
    runner: ClassVar[asyncio.Runner]
    steps: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        for stage in self.stages:
            stage.play()
        self.house = House(self.stages)
        self.teller = Teller(self.house, KINDS)

    @initialize()
    def open(self) -> None:
        """A house with some stock."""
        self.runner.run(self.house.open())
        self._tell([Asked(process=0, facts=self.teller.stock())])

    @rule(data=st.data(), process=st.integers(0, PROCESSES - 1))
    def tell_one(self, data: st.DataObject, process: int) -> None:
        """One fact."""
        self.teller.draw = data.draw
        self._tell([Asked(process=process, facts=[self.teller.fact()])])

    @rule(data=st.data(), process=st.integers(0, PROCESSES - 1), together=st.booleans())
    def tell_some(self, data: st.DataObject, process: int, *, together: bool) -> None:
        """Some facts in one call, new and repeated ones."""
        self.teller.draw = data.draw
        self._tell([Asked(process=process, facts=self._facts(1, 5), together=together)])

    @rule(data=st.data(), process=st.integers(0, PROCESSES - 1))
    def tell_again(self, data: st.DataObject, process: int) -> None:
        """A fact that was told before, with the same content or another."""
        self.teller.draw = data.draw
        fact = self.teller.repeated()
        if fact is not None:
            self._tell([Asked(process=process, facts=[fact])])

    @rule(data=st.data(), process=st.integers(0, PROCESSES - 1), fails=st.booleans())
    def rush(self, data: st.DataObject, process: int, *, fails: bool) -> None:
        """Small holds of one SKU in a row, so that the process remembers what it left."""
        self.teller.draw = data.draw
        sku = self.house.name(self.teller.pick(tuple(SKUS)))
        for _ in range(3):
            self._tell([Asked(process=process, facts=[small_hold(self.teller, sku)])])
        stage = self.stages[process]
        if fails:
            fault = self.teller.pick(FAULTS)(stage)
            number = self.teller.pick((0, 1, ANSWER))
            stage.play({number: stage.lose_answer if number == ANSWER else fault})
        self._tell([Asked(process=process, facts=[small_hold(self.teller, sku)])])
        stage.play()

    @rule(data=st.data(), number=st.integers(0, STATEMENTS_MAX) | st.just(ANSWER))
    def tell_through_faults(self, data: st.DataObject, number: int) -> None:
        """Facts whose connection is lost, or whose batch is refused, before some statement."""
        self.teller.draw = data.draw
        stage = self.stages[0]
        fault = self.teller.pick(FAULTS)(stage)
        call = Asked(process=0, facts=self._facts(1, 3), together=self.teller.pick((True, False)))
        stage.play({number: stage.lose_answer if number == ANSWER else fault})
        self._tell([call])
        stage.play()

    @rule(data=st.data())
    def tell_at_once(self, data: st.DataObject) -> None:
        """Calls of several processes at the same time; some callers go away, one process fails."""
        self.teller.draw = data.draw
        calls = [
            Asked(
                process=self.teller.draw(st.integers(0, PROCESSES - 1)),
                facts=self._facts(1, 2),
                together=self.teller.pick((True, False)),
            )
            for _ in range(self.teller.draw(st.integers(2, 4)))
        ]
        stage = self.stages[1]
        if self.teller.pick((True, False, False, False)):
            number = self.teller.draw(st.integers(0, STATEMENTS_MAX))
            stage.play({number: self.teller.pick(FAULTS)(stage)})
        leaving = self.teller.pick((None, None, None, 0, 1))
        self._tell(calls, leaving=leaving, turns=self.teller.draw(st.integers(0, 6)))
        stage.play()

    @rule(seconds=st.sampled_from((1, 60, 900, 3600, 100_000)))
    def wait(self, seconds: int) -> None:
        """Time goes by."""
        self.house.clock.moment += timedelta(seconds=seconds)

    @rule(data=st.data())
    def set_up(self, data: st.DataObject) -> None:
        """People change recipes, pots, safety stock, or the locations that feed a channel."""
        self.teller.draw = data.draw
        self.runner.run(self.teller.setting())

    def _facts(self, least: int, most: int) -> list[f.Fact]:
        count = self.teller.draw(st.integers(least, most))
        facts = []
        for _ in range(count):
            again = self.teller.repeated() if self.teller.pick((0, 0, 0, 1)) else None
            facts.append(again or self.teller.fact())
        return facts

    def _tell(self, calls: Sequence[Asked], *, leaving: int | None = None, turns: int = 0) -> None:
        self.runner.run(self._ask(calls, leaving, turns))
        type(self).steps += 1
        found = self.runner.run(self.house.books())
        told = explain(self.house.model, calls, found, self.house.clock.now())
        if told is None:
            raise AssertionError(self._story(calls, found))
        self.house.model = told

    async def _ask(self, calls: Sequence[Asked], leaving: int | None, turns: int) -> None:
        tasks = [
            asyncio.create_task(
                self.house.ledgers[call.process].apply(call.facts, together=call.together)
            )
            for call in calls
        ]
        if leaving is not None:
            for _ in range(turns):
                await asyncio.sleep(0)
            tasks[leaving].cancel()
        await asyncio.wait(tasks)
        for call, task in zip(calls, tasks, strict=True):
            call.answers = None if task.cancelled() else [*map(answer_of, task.result())]
        if leaving is not None:
            # What was taken up before its caller went is decided before what comes now.
            last = self.teller.nothing()
            await asyncio.gather(*(ledger.apply([last]) for ledger in self.house.ledgers))

    def _story(self, calls: Sequence[Asked], found: dict[str, Any]) -> str:
        lines = ["no order of these calls explains what was answered and what the books hold:"]
        for call in calls:
            lines.append(f"process {call.process}, together={call.together}:")
            lines += [f"  {fact}" for fact in call.facts]
            lines.append(f"  -> {call.answers}")
        model = self.house.model.copy()
        for call in calls:
            answers = model.apply(call.facts, self.house.clock.now(), together=call.together)
            lines.append(f"the model, told in this order: {answers}")
        return "\n".join([*lines, *books.differences(found, books.of(model.state))])
