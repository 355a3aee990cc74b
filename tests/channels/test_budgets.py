"""One budget: what is kept, shared by key, learned, refused, counted, and had without Valkey."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from channels.base import RetryLater, Throttled
from channels.limits import Budget, Budgets, Grant, Purpose, asking

MANY = Budget(endpoint="many", seconds=0.05, burst=4)
FEED = Budget(endpoint="feed", seconds=600.0, burst=15, kept=3)


def budgets_of(
    redis: Redis, *budgets: Budget, channel_id: int = 1, credential: str = ""
) -> Budgets:
    return Budgets(redis, channel_id=channel_id, budgets=budgets, credential=credential)


def about(wait: float, seconds: float) -> bool:
    """Whether a wait has begun at so many seconds, some of which may be over on a busy machine."""
    return 0.6 * seconds < wait <= 1.01 * seconds


async def test_a_few_tokens_of_a_burst_are_kept_for_the_urgent(redis: Redis) -> None:
    budgets = budgets_of(redis, FEED)
    await budgets.fill()

    async def calls(purpose: Purpose) -> int:
        made = 0
        with asking(purpose):
            while True:
                try:
                    await budgets.take("feed", longest_wait_seconds=0)
                except Throttled:
                    return made
                made += 1

    assert await calls(Purpose.NUMBER) == 12
    assert await calls(Purpose.BACKGROUND) == 0
    assert await calls(Purpose.CANCEL) == 3


async def test_a_budget_per_key_is_shared_by_two_shops_and_names_no_secret(redis: Redis) -> None:
    shared = Budget(endpoint="feed", seconds=600.0, burst=2, per_credential=True)
    own = Budget(endpoint="own", seconds=600.0, burst=2)
    one = budgets_of(redis, shared, own, channel_id=1, credential="client-id-4711")
    two = budgets_of(redis, shared, own, channel_id=2, credential="client-id-4711")
    other = budgets_of(redis, shared, own, channel_id=3, credential="client-id-4712")
    for budgets in (one, two, other):
        await budgets.fill()

    for endpoint in ("feed", "own"):
        await one.take(endpoint, longest_wait_seconds=0)

    assert 1 <= await two.level("feed") < 1.5
    assert await two.level("own") == 2
    assert await other.level("feed") == 2
    assert not any(b"4711" in key for key in await redis.keys())


async def test_the_channels_own_word_on_its_rate_corrects_the_bucket(redis: Redis) -> None:
    budgets = budgets_of(redis, Budget(endpoint="patch", seconds=10.0, burst=2))
    await budgets.fill()

    async def wait() -> float:
        for _ in range(3):
            try:
                await budgets.take("patch", longest_wait_seconds=0)
            except Throttled as throttled:
                return throttled.seconds
        raise AssertionError("nothing holds it")

    assert about(await wait(), 10)
    await budgets.learn("patch", 0.2)
    assert about(await wait(), 5)
    await budgets.learn("patch", 1e9)
    assert about(await wait(), 1)
    await budgets.learn("patch", 1e-9)
    assert about(await wait(), 100)
    for nonsense in (0.0, -1.0, float("nan")):
        await budgets.learn("patch", nonsense)
    assert about(await wait(), 100)


async def test_what_was_learned_is_forgotten_in_time(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channels.limits.LEARN_SECONDS", 0.05)
    budgets = budgets_of(redis, Budget(endpoint="patch", seconds=10.0, burst=2))
    await budgets.learn("patch", 1.0)

    await asyncio.sleep(0.06)

    with pytest.raises(Throttled) as throttled:
        await budgets.take("patch", longest_wait_seconds=0)
    assert about(throttled.value.seconds, 10)


async def test_a_refusal_empties_the_bucket_for_as_long_as_the_channel_asks(redis: Redis) -> None:
    budgets = budgets_of(redis, MANY)
    await budgets.fill()

    await budgets.drain("many", seconds=30)

    with pytest.raises(Throttled) as throttled:
        await budgets.take("many", longest_wait_seconds=1)
    assert about(throttled.value.seconds, 30)
    [seen] = await budgets.observed()
    assert (seen.endpoint, seen.used, seen.refused) == ("many", 0, 1)


async def test_calls_are_counted_for_whoever_looks(redis: Redis) -> None:
    budgets = budgets_of(redis, MANY, Budget(endpoint="day", seconds=0.01, burst=9, per_day=90))
    await budgets.fill()

    for _ in range(2):
        await budgets.take("day", longest_wait_seconds=0)

    many, day = await budgets.observed()
    assert (many.used, many.used_today, many.per_day) == (0, None, None)
    assert (day.used, day.used_today, day.per_day) == (2, 2, 90)


async def test_a_call_granted_long_before_it_arrives_counts_from_its_arrival(redis: Redis) -> None:
    budget = Budget(endpoint="slow", seconds=10.0, burst=2)
    budgets = budgets_of(redis, budget)
    await budgets.fill()
    now = time.monotonic()

    await budgets.done(Grant(budget=budget, token="x", cost=2, at=now - 60), arrived_at=now)

    assert 0 <= await budgets.level("slow") < 1


async def test_without_valkey_no_call_is_made_and_nothing_else_breaks(tmp_path: Path) -> None:
    nowhere = Redis(unix_socket_path=str(tmp_path / "gone"), retry=Retry(NoBackoff(), 0))
    budgets = budgets_of(nowhere, Budget(endpoint="order", seconds=1.0))

    for asked in (
        budgets.take("order", longest_wait_seconds=1),
        budgets.fill(),
        budgets.observed(),
    ):
        with pytest.raises(RetryLater, match="Valkey does not answer"):
            await asked
    await budgets.give_back("order", 1)
    await budgets.drain("order")
    await budgets.learn("order", 2.0)
    assert await budgets.level("order") == 0.0
    await nowhere.aclose()
