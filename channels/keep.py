"""What adapters share with all other workers: Valkey, and a sealed memory for changing tokens."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from msgspec import Struct


class Keep(Protocol):
    """One channel's sealed memory, shared by all workers on all machines.

    Names are short and ours; texts are secrets of at most 10,000 characters.
    """

    async def get(self, name: str) -> str | None:
        """What was kept under this name."""
        ...

    async def put(self, name: str, text: str) -> None:
        """Keep it, durably, before the answer; replaces what was there."""
        ...

    def lock(self, name: str) -> AbstractAsyncContextManager[None]:
        """Hold a name alone among all workers. Raises `RetryLater` where it stays taken."""
        ...


class MemoryKeep:
    """A keep of one process, for tests and for trying credentials before a channel is made."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def get(self, name: str) -> str | None:
        """See `Keep`."""
        return self._texts.get(name)

    async def put(self, name: str, text: str) -> None:
        """See `Keep`."""
        self._texts[name] = text

    def lock(self, name: str) -> AbstractAsyncContextManager[None]:
        """See `Keep`."""
        return self._locks[name]

    def kept(self) -> dict[str, str]:
        """All that is kept, to be handed over to a keep that lasts."""
        return dict(self._texts)


class Means(Struct, frozen=True, kw_only=True):
    """What an adapter works with. `redis` is an asyncio client of redis-py, for budgets."""

    redis: Any
    keep: Keep
