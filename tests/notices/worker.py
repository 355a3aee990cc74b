"""The worker that sends messages, with its house and its way out, as tests set it to work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from inventory.db import Database
from inventory.outgoing.outbound import Outbound
from tests.conftest import HandClock
from tests.notices import steps
from workers import notify
from workers.runtime import Runtime


@dataclass(frozen=True)
class Worker:
    """Sends what is due by `outbound`, at the time that `clock` says."""

    runtime: Runtime
    database: Database
    clock: HandClock
    outbound: Outbound

    async def put(self, count: int = 1) -> None:
        """Queue messages for whoever wants them."""
        for number in range(count):
            await steps.queue(self.database, now=self.clock.now(), n=number)

    async def work(self, outbound: Outbound | None = None) -> int:
        """One run, by another way out where one is given; how many tries it made."""
        return await notify.work(self.runtime, outbound=outbound or self.outbound)

    async def sent(self) -> None:
        """One message queued, and one run."""
        await self.put()
        await self.work()

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """A run that does not end by itself meanwhile: called off then, after at most 50 s."""
        work = asyncio.create_task(self.work())
        async with asyncio.timeout(50):
            yield
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

    async def log(self) -> list[tuple[int, str, int, int | None, str | None]]:
        """What came of every delivery, as `steps.log` says."""
        return await steps.log(self.database)
