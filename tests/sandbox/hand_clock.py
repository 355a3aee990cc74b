"""A clock that stands still until a test moves it, and a client of an app in this process."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from litestar import Litestar

from channels.sandbox.clock import Clock

OPENING = datetime(2026, 12, 4, 11, 0, 0, tzinfo=UTC)  # 20:00 in Japan


class HandClock(Clock):
    """Starts at 2026-12-04 20:00 JST; `pass_seconds` moves time of day and tick alike."""

    def __init__(self) -> None:
        super().__init__()
        self._passed = 0.0

    def now(self) -> datetime:
        """The standing time of day."""
        return OPENING + timedelta(seconds=self._passed + self.offset_seconds)

    def tick(self) -> float:
        """The standing tick."""
        return self._passed

    def pass_seconds(self, seconds: float) -> None:
        """Let time go by."""
        self._passed += seconds


def client_of(app: Litestar, path: str = "") -> httpx.AsyncClient:
    """A client of the app, without a socket."""
    served: Any = app  # Litestar's message types are narrower than httpx's
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(served), base_url=f"http://sandbox{path}"
    )
