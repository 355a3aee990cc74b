"""Budgets shared by many: never more than permitted, nearly all of it used, urgent work first."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest
from redis.asyncio import Redis

from channels.limits import Budget, Budgets, Purpose, asking
from channels.sandbox.limits import Limit, Spacing, TokenBucket

WAIT = 10.0
ONE = Budget(endpoint="one", seconds=0.2)
MANY = Budget(endpoint="many", seconds=0.05, burst=4)


def budgets_of(redis: Redis, *budgets: Budget) -> Budgets:
    return Budgets(redis, channel_id=1, budgets=budgets)


@pytest.fixture
async def machines(valkey_socket: Path, redis: Redis) -> AsyncIterator[list[Redis]]:
    """Four machines' own connections to the one Valkey."""
    clients = [Redis(unix_socket_path=str(valkey_socket)) for _ in range(4)]
    yield clients
    for client in clients:
        await client.aclose()


class Channel:
    """A marketplace that counts at arrival; each call takes a while on its way there and back."""

    def __init__(self, limit: Limit, *, way_seconds: float = 0.01) -> None:
        self.limit = limit
        self.arrivals: list[float] = []
        self._way_seconds = way_seconds

    async def call(self, budgets: Budgets, endpoint: str) -> None:
        grant = await budgets.take(endpoint, longest_wait_seconds=WAIT)
        await asyncio.sleep(self._way_seconds)
        self.limit.take(time.monotonic())
        self.arrivals.append(time.monotonic())
        await budgets.done(grant, arrived_at=time.monotonic())

    async def keep_calling(self, budgets: Budgets, endpoint: str, ends: float) -> None:
        while time.monotonic() < ends:
            await self.call(budgets, endpoint)


async def backlog(
    channel: Channel, workers: list[Budgets], endpoint: str, *, seconds: float
) -> None:
    """Eight workers on four machines, all with more to do than there is leave for."""
    ends = time.monotonic() + seconds
    await asyncio.gather(
        *(channel.keep_calling(worker, endpoint, ends) for worker in workers for _ in range(2))
    )


async def test_one_at_a_time_is_kept_between_machines_and_used(
    machines: list[Redis],
) -> None:
    channel = Channel(Spacing("one", seconds=0.2, tick=time.monotonic()))
    workers = [budgets_of(machine, ONE) for machine in machines]

    await backlog(channel, workers, "one", seconds=3.0)

    assert channel.limit.refused == 0
    gaps = [later - earlier for earlier, later in pairwise(channel.arrivals)]
    assert min(gaps) >= 0.2 * 1.05
    # How much of it is used on a given machine, `bench channels` tells.
    assert sum(gaps) / len(gaps) <= 2 * 0.2


async def test_a_bucket_is_never_overdrawn_by_four_machines_and_used(
    machines: list[Redis],
) -> None:
    # The marketplace has one token more: calls may be nearer together when they arrive.
    began = time.monotonic()
    channel = Channel(TokenBucket("many", rate_per_s=20, burst=5, tick=began))
    workers = [budgets_of(machine, MANY) for machine in machines]

    await backlog(channel, workers, "many", seconds=3.0)

    assert channel.limit.refused == 0
    assert channel.limit.used >= 0.5 * 20 * (time.monotonic() - began)


async def test_valkey_that_forgets_in_the_middle_lends_nobody_a_call(
    machines: list[Redis],
) -> None:
    one = Channel(Spacing("one", seconds=0.2, tick=time.monotonic()))
    many = Channel(TokenBucket("many", rate_per_s=20, burst=5, tick=time.monotonic()))
    workers = [budgets_of(machine, ONE, MANY) for machine in machines]

    async def forget() -> None:
        for _ in range(4):
            await asyncio.sleep(0.37)
            await machines[0].flushall()

    await asyncio.gather(
        forget(),
        backlog(one, workers, "one", seconds=2.0),
        backlog(many, workers, "many", seconds=2.0),
    )

    assert (one.limit.refused, many.limit.refused) == (0, 0)
    assert one.limit.used >= 2
    assert many.limit.used >= 6


async def test_a_turn_whose_holder_died_ends_by_itself(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channels.limits.TURN_SECONDS", 0.4)
    budgets = budgets_of(redis, ONE)
    await budgets.fill()
    began = time.monotonic()

    await budgets.take("one", longest_wait_seconds=WAIT)
    await budgets.take("one", longest_wait_seconds=WAIT)

    assert time.monotonic() - began >= 0.4


async def test_an_answer_that_comes_after_its_turn_only_makes_others_wait(redis: Redis) -> None:
    budgets = budgets_of(redis, ONE)
    await budgets.fill()
    late = await budgets.take("one", longest_wait_seconds=WAIT)
    await redis.delete("budget:1:one")
    await budgets.fill()
    await budgets.take("one", longest_wait_seconds=WAIT)
    level = await budgets.level("one")

    await budgets.done(late, arrived_at=time.monotonic())

    assert await budgets.level("one") <= level + 0.1


async def test_a_waiter_that_died_keeps_nobody_waiting_for_long(redis: Redis) -> None:
    budgets = budgets_of(redis, ONE)
    await redis.zadd("budget:1:one:queue", {"gone": 0})
    await redis.hset("budget:1:one:seen", "gone", "0")

    await budgets.take("one", longest_wait_seconds=WAIT)

    assert await redis.zcard("budget:1:one:queue") == 0


async def test_who_gives_up_waiting_leaves_the_queue(redis: Redis) -> None:
    budgets = budgets_of(redis, ONE)
    waiter = asyncio.create_task(budgets.take("one", longest_wait_seconds=WAIT))
    await asyncio.sleep(0.05)

    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter

    assert await redis.zcard("budget:1:one:queue") == 0


async def test_the_urgent_go_first_and_background_last(redis: Redis) -> None:
    budgets = budgets_of(redis, Budget(endpoint="one", seconds=1.0))
    order: list[Purpose] = []

    async def call(purpose: Purpose) -> None:
        with asking(purpose):
            grant = await budgets.take("one", longest_wait_seconds=WAIT)
        order.append(purpose)
        await budgets.done(grant, arrived_at=time.monotonic())

    came = [Purpose.BACKGROUND, Purpose.PULL, Purpose.NUMBER, Purpose.CANCEL, Purpose.ZERO]
    async with asyncio.TaskGroup() as group:
        for purpose in came:
            group.create_task(call(purpose))
            await asyncio.sleep(0.01)

    assert order == [
        Purpose.CANCEL,
        Purpose.ZERO,
        Purpose.PULL,
        Purpose.NUMBER,
        Purpose.BACKGROUND,
    ]
