"""Budgets while Valkey cannot be asked: no call is made, and no answer is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from channels.base import RetryLater
from channels.limits import Budget, Budgets


async def test_without_valkey_no_call_is_made_and_nothing_else_breaks(tmp_path: Path) -> None:
    nowhere = Redis(unix_socket_path=str(tmp_path / "gone"), retry=Retry(NoBackoff(), 0))
    budgets = Budgets(nowhere, channel_id=1, budgets=(Budget(endpoint="order", seconds=1.0),))

    with pytest.raises(RetryLater, match="Valkey does not answer"):
        await budgets.take("order", longest_wait_seconds=1, day="2026-11-21")
    with pytest.raises(RetryLater, match="Valkey does not answer"):
        await budgets.fill()
    await budgets.give_back("order", 1)
    await budgets.drain("order")
    assert await budgets.level("order") == 0.0
    await nowhere.aclose()
