"""A night with fresh books: sandbox, wire, database and Valkey."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from ipaddress import ip_network
from pathlib import Path

import pytest
from redis.asyncio import Redis

from inventory.config import Settings
from tests.channels.conftest import start_sandbox
from tests.channels.sandbox_process import SandboxProcess
from tests.workers import wire
from tests.workers.night import Night
from workers.runtime import Runtime

__all__ = ["start_sandbox"]

SECRET_KEY = "only for tests: forty characters or more"
# Nothing is visible late, and no job takes its time, unless a story says so.
QUICK = {
    "rakuten": {"visible_after_s": 0.0},
    "yahoo": {"visible_after_s": 0.0},
    "amazon": {"search_lag_s": 0.0, "pending_s": 0.0, "feed_s": 0.05},
    "shopify": {"visible_after_s": 0.0, "cancel_s": 0.05},
}


@pytest.fixture
async def settings(database_url: str, valkey: str) -> Settings:
    """Settings of a house in which everything is late at once, and a rate is one second's."""
    async with Redis.from_url(valkey) as redis:
        await redis.flushall()
    return Settings(
        database_url=database_url,
        redis_url=valkey,
        secret_key=SECRET_KEY,
        data_dir=Path("nowhere"),
        demand_window_seconds=1,
        listing_late_seconds=0,
        event_late_seconds=0,
        webhook_networks=(ip_network("127.0.0.0/8"),),
    )


@pytest.fixture
async def runtime(settings: Settings) -> AsyncIterator[Runtime]:
    """One worker process's parts."""
    runtime = Runtime(settings)
    yield runtime
    await runtime.aclose()


@pytest.fixture
async def rival(settings: Settings) -> AsyncIterator[Runtime]:
    """Another worker process of the same house."""
    runtime = Runtime(settings)
    yield runtime
    await runtime.aclose()


@pytest.fixture
async def night(
    runtime: Runtime, start_sandbox: Callable[..., SandboxProcess]
) -> AsyncIterator[Night]:
    """A house without channels yet; see `Night.open`."""
    sandbox = start_sandbox(**QUICK)
    async with wire.opened(sandbox.url) as line:
        yield Night(runtime, sandbox, line)
        # The adapters let go of the wire before it is taken down.
        for _, adapter in runtime._adapters.values():
            await adapter.aclose()
        runtime._adapters.clear()
