"""Answers of the database that a process may remember for a few seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from inventory.clock import Clock
from inventory.gathered import hear

AGE_MAX = timedelta(seconds=5)
KEPT_MAX = 1_000

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Remembered(Generic[Key, Value]):
    """Up to 1,000 answers, none older than 5 seconds; the oldest goes first.

    Many who ask for the same at once share one look. A look that raises is not remembered: who is
    unknown now may be known at the next call.
    """

    def __init__(self, clock: Clock, look: Callable[[Key], Awaitable[Value]]) -> None:
        self._clock = clock
        self._look = look
        self._kept: dict[Key, tuple[datetime, Value]] = {}
        self._looking: dict[Key, asyncio.Task[Value]] = {}

    async def get(self, key: Key) -> Value:
        """What the look said at most 5 seconds ago. Raises what it raises."""
        now = self._clock.now()
        kept = self._kept.get(key)
        # A clock that was set back must not make an answer live longer.
        if kept is not None and kept[0] <= now < kept[0] + AGE_MAX:
            return kept[1]
        looking = self._looking.get(key)
        if looking is None or looking.done():
            looking = self._looking[key] = asyncio.create_task(self._look_up(key, now))
            looking.add_done_callback(hear)
        # Whoever goes away leaves the look to the others.
        return await asyncio.shield(looking)

    async def _look_up(self, key: Key, now: datetime) -> Value:
        try:
            value = await self._look(key)
        finally:
            self._looking.pop(key, None)
        self._kept.pop(key, None)
        self._kept[key] = (now, value)
        if len(self._kept) > KEPT_MAX:
            del self._kept[next(iter(self._kept))]
        return value
