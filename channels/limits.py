"""Call budgets per channel, endpoint and credential, shared by every worker through Valkey.

A bucket whose state Valkey has forgotten starts empty; one that a person has just connected starts
full. Where a channel permits one call at a time, the time between calls is kept as the channel sees
it: from the latest moment at which the last one may have arrived.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from redis.exceptions import RedisError

from channels import buckets, day_plan, turns
from channels.base import RetryLater, Throttled
from channels.budget import Budget, Grant, Observed
from channels.purposes import Purpose, asking, asks, current

__all__ = ["Budget", "Budgets", "Grant", "Observed", "Purpose", "asking", "asks"]

# A call that is not over by then has arrived, or its worker has died: others may go on.
TURN_SECONDS = 8.0
ASK_SECONDS_MAX = 1.0
# A budget that took so long to be granted may be old already when the call leaves.
LATE_SECONDS = 0.05
# How far a channel's own word on its rate may correct the budget, and how long it holds.
LEARN_FACTOR_MAX = 10.0
LEARN_SECONDS = 6 * 3600.0
LEARN_AGAIN_SECONDS = 600.0
# Added to the wait allowed once one has begun to wait: sleep is never exact.
GRACE_SECONDS = 0.25
DAY_SECONDS_MIN = 0.05
# In the order in which the script has them.
DAY_PARTS = (day_plan.SHARED, day_plan.URGENT, Purpose.PULL.value, Purpose.BACKGROUND.value)
WORDS = {
    "late": "budget is used up",
    "queue": "budget is used up",
    "day": "no call of today is left for it by now",
}


class Budgets:
    """The budgets of one channel. `redis` is an asyncio client of redis-py.

    `credential` is the public part of the channel's key (a client id, a merchant token); of it only
    a short hash is stored. Without one, what is counted per credential is counted per channel.
    """

    def __init__(
        self,
        redis: Any,
        *,
        channel_id: int,
        budgets: tuple[Budget, ...],
        credential: str = "",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._redis = redis
        self._channel_id = channel_id
        self._by_endpoint = {budget.endpoint: budget for budget in budgets}
        self._now = now
        self._credential = _fingerprint(credential) if credential else ""
        self._take = redis.register_script(buckets.TAKE)
        self._done = redis.register_script(buckets.DONE)
        self._give_back = redis.register_script(buckets.GIVE_BACK)
        self._level = redis.register_script(buckets.LEVEL)
        self._drain = redis.register_script(buckets.DRAIN)
        self._learn = redis.register_script(buckets.LEARN)
        self._learned: dict[str, tuple[float, float]] = {}

    async def take(self, endpoint: str, *, longest_wait_seconds: float, cost: int = 1) -> Grant:
        """Wait for leave to make one call of `endpoint` that costs `cost` (at most the burst).

        Where calls go one at a time, `done` must be told when this one is over. Raises `Throttled`
        (with the wait in seconds) as soon as it would take longer than allowed, `RetryLater` while
        Valkey cannot be asked: a call without a budget is not made.
        """
        budget = self._by_endpoint[endpoint]
        token, cost = uuid4().hex[:16], min(cost, budget.burst)
        try:
            at = await self._wait(budget, token, cost, longest_wait_seconds)
        except BaseException:
            await self._leave(budget, token)
            raise
        grant = Grant(budget=budget, token=token, cost=cost, at=at)
        if budget.single:
            turns.begins(next_seconds=budget.interval_ms / 1000)
        else:
            await self.done(grant, arrived_at=time.monotonic())
        return grant

    async def _wait(self, budget: Budget, token: str, cost: int, seconds_max: float) -> float:
        """Wait for leave; the moment at which it was asked for."""
        ends, grace = time.monotonic() + seconds_max, 0.0
        while True:
            at = time.monotonic()
            left = max(ends - at, 0.0) + grace
            verdict, seconds = await self._ask(budget, token, cost, left)
            if verdict == "go":
                return at
            if seconds > left:
                raise Throttled(f"{budget.endpoint}: {WORDS[verdict]}", seconds=seconds)
            await asyncio.sleep(min(seconds, ASK_SECONDS_MAX))
            grace = GRACE_SECONDS

    async def done(self, grant: Grant, *, arrived_at: float) -> None:
        """Say that a call has arrived, by the machine's monotonic clock at the latest then.

        Where Valkey does not answer, others wait for the turn to end by itself.
        """
        budget = grant.budget
        if not budget.single and arrived_at - grant.at < LATE_SECONDS:
            return
        ago_ms = max(time.monotonic() - arrived_at, 0.0) * 1000
        with contextlib.suppress(RedisError):
            await self._run(self._done, budget, grant.cost, grant.token, budget.single, ago_ms)

    async def give_back(self, endpoint: str, cost: int) -> None:
        """Return points that a call did not need; below 0, take those it needed more.

        The call is over: where Valkey does not answer, its result counts and the points are lost.
        """
        with contextlib.suppress(RedisError):
            await self._run(self._give_back, self._by_endpoint[endpoint], cost)

    async def learn(self, endpoint: str, per_second: float) -> None:
        """Correct a budget by the channel's own word on its rate, for the next six hours.

        At most ten times as quick or slow as the budget says; what is no rate at all is ignored.
        """
        budget = self._by_endpoint[endpoint]
        if not math.isfinite(per_second) or per_second <= 0:
            return
        seconds = min(
            max(1 / per_second, budget.seconds / LEARN_FACTOR_MAX),
            budget.seconds * LEARN_FACTOR_MAX,
        )
        known, until = self._learned.get(endpoint, (0.0, 0.0))
        if known == seconds and time.monotonic() < until:
            return
        every_ms = budget.interval_ms * seconds / budget.seconds
        with contextlib.suppress(RedisError):
            await self._run(self._learn, budget, every_ms, LEARN_SECONDS * 1000)
            self._learned[endpoint] = (seconds, time.monotonic() + LEARN_AGAIN_SECONDS)

    async def drain(self, endpoint: str, *, seconds: float = 0.0) -> None:
        """Say that the channel refused a call as too many: the bucket is empty again.

        `seconds` is how long the channel wants to be left alone, by all workers.
        """
        budget = self._by_endpoint[endpoint]
        with contextlib.suppress(RedisError):
            await self._run(self._drain, budget, seconds * 1000, f"{endpoint}:refused")

    async def level(self, endpoint: str) -> float:
        """How many calls could be made at once now; below 1 means that a call would wait.

        0 while Valkey cannot be asked.
        """
        try:
            return float(_text(await self._run(self._level, self._by_endpoint[endpoint])))
        except RedisError:
            return 0.0

    def burst(self, endpoint: str) -> int:
        """The most calls that `endpoint` takes at once."""
        return self._by_endpoint[endpoint].burst

    async def fill(self) -> None:
        """Say that no call was ever made: for a channel that a person has just connected.

        Budgets that are in use already stay as they are. Raises `RetryLater` without Valkey.
        """
        try:
            for budget in self._by_endpoint.values():
                await self._redis.hsetnx(self._key(budget), "tat", 0)
                if budget.per_day is not None:
                    today = day_plan.today(self._now())
                    await self._redis.hsetnx(self._day_key(budget), "day", today)
        except RedisError as error:
            raise RetryLater("no budgets, Valkey does not answer") from error

    async def observed(self) -> list[Observed]:
        """Every endpoint's budget as it stands. Raises `RetryLater` without Valkey."""
        try:
            counted = await self._redis.hgetall(self._counters())
            counts = {_text(name): int(_text(number)) for name, number in counted.items()}
            return [await self._seen(budget, counts) for budget in self._by_endpoint.values()]
        except RedisError as error:
            raise RetryLater("no budgets, Valkey does not answer") from error

    async def _ask(self, budget: Budget, token: str, cost: int, left: float) -> tuple[str, float]:
        """What Valkey says: go, or how many seconds to wait before asking again or at all."""
        purpose, now, per_day = current(), self._now(), budget.per_day or 0
        plan = day_plan.allowance(purpose, per_day=per_day, now=now)
        kept = 0 if purpose.urgent else budget.kept
        own = (kept, cost, token, purpose.rank, left * 1000, budget.single, TURN_SECONDS * 1000)
        assumed = [plan.assumed[part] for part in DAY_PARTS]
        day = (per_day, plan.day, plan.own, plan.own_most, plan.shared_most)
        try:
            answer = await self._run(self._take, budget, *own, budget.endpoint, *day, *assumed)
        except RedisError as error:
            raise RetryLater(f"{budget.endpoint}: no budget, Valkey does not answer") from error
        verdict, *figures = (_text(each) for each in answer)
        if verdict != "day":
            return verdict, float(figures[0]) / 1000
        spent, shared = (float(each) for each in figures)
        wait = day_plan.seconds_until(purpose, per_day=per_day, own=spent, shared=shared, now=now)
        return verdict, max(wait, DAY_SECONDS_MIN)

    async def _leave(self, budget: Budget, token: str) -> None:
        """Step out of the queue; one who cannot is taken for gone after some seconds."""
        with contextlib.suppress(RedisError):
            await self._redis.zrem(f"{self._key(budget)}:queue", token)

    async def _seen(self, budget: Budget, counts: dict[str, int]) -> Observed:
        used = None
        if budget.per_day is not None:
            known = await self._redis.hmget(self._day_key(budget), "day", *DAY_PARTS)
            today = _text(known[0] or b"") == day_plan.today(self._now())
            used = sum(int(float(_text(part or b"0"))) for part in known[1:]) if today else 0
        return Observed(
            endpoint=budget.endpoint,
            used=counts.get(budget.endpoint, 0),
            refused=counts.get(f"{budget.endpoint}:refused", 0),
            level=float(_text(await self._run(self._level, budget))),
            used_today=used,
            per_day=budget.per_day,
        )

    async def _run(self, script: Any, budget: Budget, *more: float | str) -> Any:
        key = self._key(budget)
        keys = (key, f"{key}:queue", f"{key}:seen", self._day_key(budget), self._counters())
        told = (int(each) if isinstance(each, bool) else each for each in more)
        return await script(keys=keys, args=(budget.interval_ms, budget.burst, *told))

    def _key(self, budget: Budget) -> str:
        return f"budget:{self._scope(per_credential=budget.per_credential)}:{budget.endpoint}"

    def _day_key(self, budget: Budget) -> str:
        scope = self._scope(per_credential=budget.day_per_credential)
        return f"day:{scope}:{budget.day or budget.endpoint}"

    def _scope(self, *, per_credential: bool) -> str:
        return self._credential if per_credential and self._credential else str(self._channel_id)

    def _counters(self) -> str:
        return f"calls:{self._channel_id}"


def _fingerprint(credential: str) -> str:
    """A short name for the public part of a key, from which nobody can tell the key."""
    digest = hashlib.blake2s(credential.encode(), key=b"hikiate budget", digest_size=8)
    return f"key-{digest.hexdigest()}"


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
