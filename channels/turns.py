"""Tells whoever prepares the next call that this one has its turn, where calls go one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Turn:
    """The turn of a call. `next_seconds`: so long after it, the next turn comes at the soonest.

    0 where nobody said: the channel permits several calls at once, or none was made.
    """

    def __init__(self) -> None:
        self.next_seconds = 0.0
        self._over = asyncio.Event()

    def comes(self, *, next_seconds: float = 0.0) -> None:
        """Say that it has come, or never will; what was said first counts."""
        if not self._over.is_set():
            self.next_seconds = next_seconds
            self._over.set()

    async def wait(self) -> None:
        """Wait until it has come, or never will."""
        await self._over.wait()


_WAITED_FOR: ContextVar[Turn | None] = ContextVar("turn", default=None)


@contextmanager
def watched(turn: Turn) -> Iterator[None]:
    """`turn` comes with the first call made inside that may not go beside others.

    At the end of the block it is over in any case.
    """
    token = _WAITED_FOR.set(turn)
    try:
        yield
    finally:
        _WAITED_FOR.reset(token)
        turn.comes()


def begins(*, next_seconds: float) -> None:
    """The call that this task makes has its turn now; see `Turn`."""
    turn = _WAITED_FOR.get()
    if turn is not None:
        turn.comes(next_seconds=next_seconds)
