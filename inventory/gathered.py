"""Questions to the database that come at the same time are asked as one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Gathered(Generic[Key, Value]):
    """Whoever asks while a look is under way is answered by the next one, with all the others.

    `look` gets each key once, and answers with those that it has found.
    """

    def __init__(self, look: Callable[[Sequence[Key]], Awaitable[Mapping[Key, Value]]]) -> None:
        self._look = look
        self._keys: dict[Key, None] = {}
        self._under_way: asyncio.Task[Mapping[Key, Value]] | None = None
        self._next: asyncio.Task[Mapping[Key, Value]] | None = None

    async def get(self, keys: Sequence[Key]) -> dict[Key, Value]:
        """Those of the keys that there are, looked up after this call. Raises what `look` raises.

        Whoever goes away leaves the look to the others.
        """
        self._keys.update(dict.fromkeys(keys))
        if self._next is None:
            self._next = asyncio.create_task(self._after(self._under_way))
            self._next.add_done_callback(hear)
        found = await asyncio.shield(self._next)
        return {key: found[key] for key in keys if key in found}

    async def _after(self, before: asyncio.Task[Mapping[Key, Value]] | None) -> Mapping[Key, Value]:
        if before is not None and not before.done():
            await asyncio.wait([before])
        keys, self._keys = list(self._keys), {}
        self._under_way, self._next = self._next, None
        return await self._look(keys)


def hear(looking: asyncio.Future[Value]) -> None:
    """Take note of an error that nobody is left to be told of."""
    if not looking.cancelled():
        looking.exception()
