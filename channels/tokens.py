"""Access tokens kept in memory: fetched once, renewed early, never shown."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct


class Token(Struct, frozen=True, kw_only=True):
    """An access token and how many seconds it lasts from now."""

    text: str
    lasts_seconds: float

    def __rich_repr__(self) -> Any:
        yield "lasts_seconds", self.lasts_seconds

    def __repr__(self) -> str:
        return f"Token(lasts_seconds={self.lasts_seconds})"


class TokenCache:
    """One channel's access token. `early_seconds` before its end it is no longer handed out.

    `fetch` asks the channel for a new one; of many callers at once only one asks.
    """

    def __init__(self, fetch: Callable[[], Awaitable[Token]], *, early_seconds: float) -> None:
        self._fetch = fetch
        self._early_seconds = early_seconds
        self._lock = asyncio.Lock()
        self._text: str | None = None
        self._good_until = 0.0

    async def get(self) -> str:
        """A token that is still good for a while. Raises what `fetch` raises."""
        async with self._lock:
            if self._text is None or time.monotonic() >= self._good_until:
                token = await self._fetch()
                lasts = max(token.lasts_seconds - self._early_seconds, token.lasts_seconds / 2)
                self._text, self._good_until = token.text, time.monotonic() + lasts
            return self._text

    def forget(self, text: str) -> None:
        """Say that the channel refused this token; a newer one is kept."""
        if self._text == text:
            self._text = None
