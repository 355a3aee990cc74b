"""The turn of a call that had to wait is told to whoever prepares the next one."""

from __future__ import annotations

import asyncio
import time

import pytest
from redis.asyncio import Redis

from channels.limits import Budget, Budgets
from channels.turns import Turn, watched

ONE = Budget(endpoint="one", seconds=0.3)
MANY = Budget(endpoint="many", seconds=0.3, burst=4)


@pytest.fixture
async def budgets(redis: Redis) -> Budgets:
    """One endpoint that permits one call at a time, and one that permits four; never called."""
    budgets = Budgets(redis, channel_id=1, budgets=(ONE, MANY))
    await budgets.fill()
    return budgets


async def test_a_turn_comes_with_a_call_that_may_not_go_beside_others(budgets: Budgets) -> None:
    turn = Turn()

    async def call() -> None:
        with watched(turn):
            await budgets.take("many", longest_wait_seconds=3)
            await budgets.take("one", longest_wait_seconds=3)
            await asyncio.sleep(60)

    others = await budgets.take("one", longest_wait_seconds=3)
    calling = asyncio.create_task(call())
    waiting = asyncio.create_task(turn.wait())
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await budgets.done(others, arrived_at=time.monotonic())
    await waiting
    assert turn.next_seconds == pytest.approx(0.315)
    assert not calling.done()
    calling.cancel()


async def test_a_turn_that_never_comes_is_over_at_the_end(budgets: Budgets) -> None:
    turn = Turn()
    with watched(turn):
        await budgets.take("many", longest_wait_seconds=3)
    await turn.wait()
    assert turn.next_seconds == 0
