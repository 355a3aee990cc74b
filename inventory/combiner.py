"""Concurrent calls become one commit: whatever is waiting is drained at once, without a timer.

One drain is in flight per process; while it commits, the next collects. What waits is bounded:
beyond that a caller is told to come back, and memory does not grow with them.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from inventory.booking.soundness import Told
from inventory.errors import TooBusy
from inventory.facts import Outcome

WAITING_MAX = 20_000
TOLD_AT_ONCE = 100
RETRY_SECONDS_MAX = 30


class Call:
    """The facts of one caller and the future that gets their outcomes."""

    __slots__ = ("answer", "facts", "together")

    def __init__(
        self, facts: Sequence[Told], answer: asyncio.Future[list[Outcome]], *, together: bool
    ) -> None:
        self.facts = facts
        self.answer = answer
        self.together = together


class Combiner:
    """Hands the waiting calls to `commit`, in order of arrival, up to `facts_max` facts at a time.

    `commit` answers for each call with its outcomes, or with the error that its caller shall get.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Call]], Awaitable[Sequence[list[Outcome] | Exception]]],
        *,
        facts_max: int,
        waiting_max: int = WAITING_MAX,
    ) -> None:
        self._commit = commit
        self._facts_max = facts_max
        self._waiting_max = waiting_max
        self._calls: deque[Call] = deque()
        self._waiting = 0
        self._drain: asyncio.Task[None] | None = None
        self._teller: asyncio.Task[None] | None = None
        self._facts_per_second = 0.0

    @property
    def waiting(self) -> int:
        """Facts that wait for a commit."""
        return self._waiting

    async def submit(self, facts: Sequence[Told], *, together: bool = False) -> list[Outcome]:
        """The outcomes of some facts, once they are committed.

        A caller that is cancelled before its facts were taken up leaves nothing behind; later,
        they are recorded although nobody hears of it. Raises `TooBusy` when too much is waiting.
        """
        if self._waiting and self._waiting + len(facts) > self._waiting_max:
            raise TooBusy("too much is waiting for the ledger", self._seconds_to_wait())
        loop = asyncio.get_running_loop()
        call = Call(facts, loop.create_future(), together=together)
        self._calls.append(call)
        self._waiting += len(facts)
        if self._drain is None or self._drain.done():
            self._drain = loop.create_task(self._work())
        return await call.answer

    def _seconds_to_wait(self) -> int:
        seconds = self._waiting / self._facts_per_second if self._facts_per_second else 1.0
        return min(max(math.ceil(seconds), 1), RETRY_SECONDS_MAX)

    async def _work(self) -> None:
        while calls := self._take():
            started = time.perf_counter()
            answers = await self._answers(calls)
            count = sum(len(call.facts) for call in calls)
            self._facts_per_second = count / max(time.perf_counter() - started, 1e-6)
            if self._calls or len(calls) > TOLD_AT_ONCE:
                self._teller = asyncio.create_task(_tell(calls, answers))
            else:
                _say(calls, answers)
            if not self._calls:
                # Callers that have just heard ask again in this turn of the loop: they come
                # along, instead of one of them alone.
                await asyncio.sleep(0)

    async def _answers(self, calls: Sequence[Call]) -> Sequence[list[Outcome] | Exception]:
        """No caller waits for ever, whatever broke; the next batch is not harmed by it."""
        try:
            return await self._commit(calls)
        except Exception as error:  # noqa: BLE001 -- each caller gets it, to handle or to crash by
            return [error for _ in calls]
        except BaseException:
            for call in [*calls, *self._calls]:
                call.answer.cancel()
            raise

    def _take(self) -> list[Call]:
        calls: list[Call] = []
        room = self._facts_max
        while self._calls and (not calls or len(self._calls[0].facts) <= room):
            call = self._calls.popleft()
            self._waiting -= len(call.facts)
            if call.answer.done():  # its caller has gone away
                continue
            calls.append(call)
            room -= len(call.facts)
        return calls


async def _tell(calls: Sequence[Call], answers: Sequence[list[Outcome] | Exception]) -> None:
    """Some callers at a time: between them the database's answers to the next batch are heard."""
    for first in range(0, len(calls), TOLD_AT_ONCE):
        some = slice(first, first + TOLD_AT_ONCE)
        _say(calls[some], answers[some])
        await asyncio.sleep(0)


def _say(calls: Sequence[Call], answers: Sequence[list[Outcome] | Exception]) -> None:
    for call, answer in zip(calls, answers, strict=True):
        if call.answer.done():
            continue
        if isinstance(answer, Exception):
            call.answer.set_exception(answer)
        else:
            call.answer.set_result(answer)
