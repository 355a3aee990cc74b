"""Amazon's queue of notices through the real workers: seconds where the search needs minutes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.channels.sandbox_process import SandboxProcess
from tests.workers import wire
from tests.workers.night import Night
from workers import pull
from workers.runtime import Runtime

AMAZON: dict[str, Any] = {
    "search_lag_s": 60.0,
    "pending_s": 0.0,
    "feed_s": 0.05,
    "queue": True,
    "repeat_notices": 1.0,
}


@pytest.fixture
async def night(
    runtime: Runtime, start_sandbox: Callable[..., SandboxProcess]
) -> AsyncIterator[Night]:
    """A house whose Amazon has a queue that tells everything twice, and a search a minute late."""
    sandbox = start_sandbox(amazon=AMAZON)
    async with wire.opened(sandbox.url) as line:
        yield Night(runtime, sandbox, line)
        for _, adapter in runtime._adapters.values():
            await adapter.aclose()
        runtime._adapters.clear()


async def test_a_sale_is_booked_once_by_its_notice_and_its_message_deleted(night: Night) -> None:
    await night.open("amazon", units=10)
    ref = night.buy("amazon", 3)

    first = await pull.pull_once(night.runtime, night.ids["amazon"])
    channel = await night.channel("amazon")
    second = await pull.pull_once(night.runtime, night.ids["amazon"])

    order = await night.order("amazon", ref)
    assert order is not None
    assert (first[0], second[0]) == (1, 0)
    assert len(channel.cursor["receipts"]) == 2
    assert "receipts" not in (await night.channel("amazon")).cursor


async def test_a_worker_that_dies_before_it_stored_loses_no_notice(night: Night) -> None:
    await night.open("amazon", units=10)
    adapter = await night.adapter("amazon")
    ref = night.buy("amazon", 3)

    died = await adapter.pull_orders((await night.channel("amazon")).cursor, seen={})
    night.sandbox.move_clock(121)
    stored, _ = await pull.pull_once(night.runtime, night.ids["amazon"])

    assert [order.order_ref for order in died.orders] == [ref]
    assert stored == 1
