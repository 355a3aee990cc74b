"""Things a marketplace does a while after it was asked: processing a feed, ending a job."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from channels.sandbox.clock import Clock

# A timer may ring a hair early; it is set this much late so that its entry is due when it rings.
TIMER_MARGIN_S = 0.005


class Due:
    """Work to be done at a time of the sandbox's clock, in that order.

    A timer of the event loop does it on time; `settle()` catches up after the clock was moved.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: list[tuple[datetime, int, Callable[[], None]]] = []
        self._count = 0

    def later(self, seconds: float, work: Callable[[], None]) -> None:
        """Do `work` after `seconds`; at once when that is 0. Needs a running event loop."""
        self._count += 1
        moment = self._clock.now() + timedelta(seconds=seconds)
        self._entries.append((moment, self._count, work))
        if seconds <= 0:
            self.settle()
            return
        asyncio.get_running_loop().call_later(seconds + TIMER_MARGIN_S, self.settle)

    def settle(self) -> None:
        """Do everything whose time has come."""
        now = self._clock.now()
        ready = sorted(entry for entry in self._entries if entry[0] <= now)
        self._entries = [entry for entry in self._entries if entry[0] > now]
        for _, _, work in ready:
            work()
