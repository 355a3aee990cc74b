"""What a worker process has: one event loop, made after the fork, and the house's parts on it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from redis.asyncio import Redis
from sqlalchemy import update

from channels import registry
from channels.base import AuthExpired, Write
from channels.keep import Means
from inventory import leases
from inventory.clock import Clock
from inventory.db import Database
from inventory.doorbell import Doorbell, make_celery
from inventory.errors import NotFound
from inventory.inbox import Inbox
from inventory.ledger import Ledger
from inventory.listings import Margins
from inventory.models import Channel
from inventory.security import SecretUnreadable, Vault
from workers.keep import DatabaseKeep

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
        self._retired: list[tuple[float, Adapter]] = []
        self._building = asyncio.Lock()

    def ring(self, name: str, *args: Any) -> None:
        """Ring for a piece of work, after the commit that made it."""
        self.doorbell.ring(name, *args)

    async def adapter(self, channel_id: int) -> Adapter:
        """The adapter of a channel, the same for all tasks until the channel's settings change.

        Raises `NotFound`; `Rejected` when the channel's settings or credentials are wrong,
        `AuthExpired` when they were sealed with another secret key.
        """
        channel = await self._channel(channel_id)
        held = self._adapters.get(channel_id)
        if held is not None and held[0] == _version(channel):
            return held[1]
        async with self._building:
            # Another task may have built it while this one waited.
            channel = await self._channel(channel_id)
            held = self._adapters.get(channel_id)
            if held is not None and held[0] == _version(channel):
                return held[1]
            adapter = await self._build(channel)
            if held is not None:
                await self._retire(held[1])
            self._adapters[channel_id] = (_version(channel), adapter)
            return adapter

    async def _channel(self, channel_id: int) -> Channel:
        async with self.database.sessions() as session:
            channel = await session.get(Channel, channel_id)
        if channel is None:
            raise NotFound(f"no channel {channel_id}")
        return channel

    async def _build(self, channel: Channel) -> Adapter:
        try:
            credentials = self.vault.open(channel.credentials) if channel.credentials else {}
        except SecretUnreadable as error:
            raise AuthExpired(f"credentials: {error}") from error
        adapter = registry.build(
            channel.kind,
            channel_id=channel.id,
            base_url=channel.base_url,
            settings=channel.settings,
            credentials=credentials,
            means=Means(
                redis=self.redis,
                keep=DatabaseKeep(self.database, self.vault, self.clock, channel_id=channel.id),
            ),
        )
        if channel.pulled_at is None:
            await adapter.budgets.fill()
        await self._note_capabilities(channel, adapter)
        return adapter

    async def _retire(self, adapter: Adapter) -> None:
        """Put away an adapter that tasks may still be using; none of them lasts longer."""
        now = asyncio.get_running_loop().time()
        over = [each for since, each in self._retired if since < now - TASK_SECONDS_MAX]
        self._retired = [pair for pair in self._retired if pair[1] not in over]
        self._retired.append((now, adapter))
        for each in over:
            await each.aclose()

    async def _note_capabilities(self, channel: Channel, adapter: Adapter) -> None:
        """Leave on the channel what publishing must know of its adapter."""
        relative = adapter.capabilities.write is Write.RELATIVE
        if channel.relative != relative:
            async with self.database.transaction() as session:
                await session.execute(
                    update(Channel).where(Channel.id == channel.id).values(relative=relative)
                )

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
        for _, adapter in (*self._adapters.values(), *self._retired):
            await adapter.aclose()
        await self.redis.aclose()
        await self.database.aclose()


def _version(channel: Channel) -> tuple[Any, ...]:
    return (channel.kind, channel.base_url, str(channel.settings), channel.credentials)


class LoopThread:
    """One event loop in a thread of its own, so that Celery's tasks can run coroutines on it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="hikiate-loop", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        self._loop.run_forever()
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, T], *, seconds: float = TASK_SECONDS_MAX) -> T:
        """Run to the end and return the result; cancelled after `seconds` (`TimeoutError`)."""
        return asyncio.run_coroutine_threadsafe(_limited(work, seconds), self._loop).result()

    def stop(self) -> None:
        """End the loop and its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


async def _limited(work: Coroutine[Any, Any, T], seconds: float) -> T:
    async with asyncio.timeout(seconds):
        return await work
