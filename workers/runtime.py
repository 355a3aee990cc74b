"""What a worker process has: one event loop, made after the fork, and the house's parts on it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from redis.asyncio import Redis

from channels import registry
from inventory import leases
from inventory.clock import Clock
from inventory.db import Database
from inventory.doorbell import Doorbell, make_celery
from inventory.errors import NotFound
from inventory.inbox import Inbox
from inventory.ledger import Ledger
from inventory.listings import Margins
from inventory.models import Channel
from inventory.security import Vault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from channels.base import Adapter
    from inventory.config import Settings

T = TypeVar("T")
POOL_SIZE = 16
TASK_SECONDS_MAX = 120


class Runtime:
    """The parts that every piece of work uses. Make it inside the loop that runs the work."""

    def __init__(self, settings: Settings, *, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock = clock or Clock()
        self.database = Database(settings.database_url, pool_size=POOL_SIZE)
        self.ledger = Ledger(self.database, self.clock)
        self.inbox = Inbox(self.database, self.ledger, self.clock)
        self.vault = Vault(settings.secret_key)
        self.doorbell = Doorbell(make_celery(settings.redis_url))
        self.redis = Redis.from_url(settings.redis_url)
        self.margins = Margins(
            window_seconds=settings.demand_window_seconds, quantile=settings.unseen_quantile
        )
        self._adapters: dict[int, tuple[tuple[Any, ...], Adapter]] = {}

    def ring(self, name: str, *args: Any) -> None:
        """Ring for a piece of work, after the commit that made it."""
        self.doorbell.ring(name, *args)

    async def adapter(self, channel_id: int) -> Adapter:
        """The adapter of a channel, kept until its settings change.

        Raises `NotFound`; `Rejected` when the channel's settings or credentials are wrong.
        """
        async with self.database.sessions() as session:
            channel = await session.get(Channel, channel_id)
        if channel is None:
            raise NotFound(f"no channel {channel_id}")
        version = (channel.kind, channel.base_url, str(channel.settings), channel.credentials)
        held = self._adapters.get(channel_id)
        if held is not None and held[0] == version:
            return held[1]
        adapter = registry.build(
            channel.kind,
            channel_id=channel_id,
            base_url=channel.base_url,
            settings=channel.settings,
            credentials=self.vault.open(channel.credentials) if channel.credentials else {},
            redis=self.redis,
        )
        if held is not None:
            await held[1].aclose()
        if channel.pulled_at is None:
            await adapter.budgets.fill()
        self._adapters[channel_id] = (version, adapter)
        return adapter

    @asynccontextmanager
    async def lease(self, name: str, *, seconds: float = TASK_SECONDS_MAX) -> AsyncIterator[bool]:
        """Hold a lease for the block; yields False when another worker holds it."""
        holder = uuid4().hex
        async with self.database.transaction() as session:
            mine = await leases.take(
                session, name, holder=holder, seconds=seconds, now=self.clock.now()
            )
        try:
            yield mine
        finally:
            if mine:
                async with self.database.transaction() as session:
                    await leases.give_back(session, name, holder=holder)

    async def aclose(self) -> None:
        """Close every connection."""
        for _, adapter in self._adapters.values():
            await adapter.aclose()
        await self.redis.aclose()
        await self.database.aclose()


class LoopThread:
    """One event loop in a thread of its own, so that Celery's tasks can run coroutines on it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="hikiate-loop", daemon=True).start()

    def run(self, work: Coroutine[Any, Any, T], *, seconds: float = TASK_SECONDS_MAX) -> T:
        """Run to the end and return the result; cancelled after `seconds` (`TimeoutError`)."""
        return asyncio.run_coroutine_threadsafe(_limited(work, seconds), self._loop).result()

    def stop(self) -> None:
        """End the loop."""
        self._loop.call_soon_threadsafe(self._loop.stop)


async def _limited(work: Coroutine[Any, Any, T], seconds: float) -> T:
    async with asyncio.timeout(seconds):
        return await work
