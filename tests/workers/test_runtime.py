"""What the threads of one worker process share: one loop, one adapter for each channel."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from types import ModuleType
from typing import Any

import pytest

from inventory.config import Settings
from inventory.security import Vault
from tests.workers.night import PUSHES, Night
from workers import desk, push
from workers.runtime import LoopThread, Runtime

THREADS = 8
HELD_SECONDS_MAX = 10


@pytest.fixture
def celery_app(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The worker's module, as a worker process imports it."""
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    monkeypatch.setenv("REDIS_URL", settings.redis_url)
    monkeypatch.setenv("HIKIATE_SECRET_KEY", settings.secret_key)
    from workers import app  # noqa: PLC0415 -- it reads the settings while it is imported

    monkeypatch.setattr(app, "SETTINGS", settings)
    yield app
    app.Process.stop()


async def test_the_first_tasks_of_all_threads_share_a_loop_and_a_runtime(
    celery_app: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = Barrier(THREADS)
    begun: list[LoopThread] = []
    seen: list[tuple[int, int]] = []

    class Counted(LoopThread):
        """Remembers itself."""

        def __init__(self) -> None:
            begun.append(self)
            super().__init__()

    async def look(runtime: Runtime) -> int:
        seen.append((id(asyncio.get_running_loop()), id(runtime)))
        return 1

    def task(_: int) -> None:
        start.wait()
        celery_app.Process.run(look)

    monkeypatch.setattr(celery_app, "LoopThread", Counted)
    with ThreadPoolExecutor(THREADS) as threads:
        await asyncio.to_thread(list, threads.map(task, range(THREADS)))

    assert (len(begun), len(seen), len(set(seen))) == (1, THREADS, 1)


async def test_tasks_that_ask_at_once_get_the_same_adapter(night: Night) -> None:
    await night.connect("rakuten")

    adapters = await asyncio.gather(*(night.adapter("rakuten") for _ in range(THREADS)))

    assert len(set(map(id, adapters))) == 1


async def test_a_call_under_way_ends_well_when_the_settings_change(night: Night) -> None:
    await night.open("shopify", units=10)
    await night.damage(2)
    held = night.wire.hold(PUSHES["shopify"])
    sending = asyncio.create_task(night.round())
    async with asyncio.timeout(HELD_SECONDS_MAX):
        await held.reached.wait()

    before = await night.adapter("shopify")
    await night.execute("""UPDATE channel SET settings = settings || '{"overlap_seconds": 61}'""")
    after = await night.adapter("shopify")
    held.release()
    await sending

    assert after is not before
    assert await night.push_ends("shopify") == ["accepted"]


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("credentials", Vault("another key of forty characters or more").seal({}), "auth_expired"),
        ("settings", {"no_such": 1}, "rejected"),
    ],
    ids=["sealed with another key", "wrong settings"],
)
async def test_a_channel_that_cannot_be_opened_stops_no_worker_and_says_why(
    night: Night, column: str, value: Any, code: str
) -> None:
    await night.open("shopify", units=10)
    await night.damage(2)
    await night.set_channel("shopify", **{column: value})

    await night.pull("shopify")
    await night.rounds(1)
    await push.read(night.runtime, night.ids["shopify"])
    await desk.work(night.runtime)

    channel = await night.channel("shopify")
    assert channel.failing_since is not None
    assert str(channel.failure).startswith(f"{code}: ")
    assert ("health.channel_failing", "channel:shopify") in await night.alerts()
