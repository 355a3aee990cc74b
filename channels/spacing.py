"""A second between calls as the marketplace sees them, not as we send them."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Spacing:
    """Lets one call of an endpoint go at a time, `seconds` after the answer to the one before.

    A budget counts departures, a marketplace arrivals, and a call may be held up on its way, so
    that the next one comes too near. An answer is never earlier than the arrival. Works within
    this process; the budget in Valkey holds between processes.
    """

    def __init__(self, *, seconds: float) -> None:
        self._seconds = seconds
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._free_at: defaultdict[str, float] = defaultdict(float)

    @asynccontextmanager
    async def turn(self, endpoint: str) -> AsyncGenerator[None]:
        """Wait for this endpoint's turn; the call is made inside."""
        async with self._locks[endpoint]:
            wait = self._free_at[endpoint] - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            try:
                yield
            finally:
                self._free_at[endpoint] = time.monotonic() + self._seconds
