"""Call budgets per channel and endpoint, shared by every worker through Valkey.

A budget is a token bucket kept as one time stamp (the generic cell rate algorithm). A bucket whose
state Valkey has forgotten starts empty; one that a person has just connected starts full.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from msgspec import Struct
from redis.exceptions import RedisError

from channels.base import RetryLater, Throttled

# One time stamp per bucket: `tat`, the time at which the bucket would be full again.
# ARGV: interval ms, burst, longest wait ms, calls permitted per day (0 = any), day, cost.
_TAKE = """
local now = redis.call('TIME'); now = now[1] * 1000 + now[2] / 1000
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local daily, cost = tonumber(ARGV[4]), tonumber(ARGV[6])
if daily > 0 and tonumber(redis.call('HGET', KEYS[1], ARGV[5]) or '0') >= daily then
  return {'day', '0'}
end
local tat = tonumber(redis.call('HGET', KEYS[1], 'tat') or now + interval * burst)
local wait = math.max(tat - interval * (burst - cost) - now, 0)
if wait > tonumber(ARGV[3]) then
  redis.call('HSETNX', KEYS[1], 'tat', tat)
  return {'wait', tostring(wait)}
end
redis.call('HSET', KEYS[1], 'tat', math.max(tat, now) + interval * cost)
if daily > 0 then redis.call('HINCRBY', KEYS[1], ARGV[5], 1) end
return {'go', tostring(wait)}
"""

_GIVE_BACK = """
local tat = redis.call('HGET', KEYS[1], 'tat')
if tat then redis.call('HSET', KEYS[1], 'tat', tat - ARGV[1] * ARGV[2]) end
"""

_LEVEL = """
local now = redis.call('TIME'); now = now[1] * 1000 + now[2] / 1000
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local tat = tonumber(redis.call('HGET', KEYS[1], 'tat') or now + interval * burst)
return tostring(math.min(burst, burst - (tat - now) / interval))
"""


class Budget(Struct, frozen=True, kw_only=True):
    """What one endpoint permits: `seconds` between calls in the long run, `burst` calls at once.

    Where a channel counts points and not calls, both are meant per point, and a call costs many.
    `per_day` is the most calls in one day (Asia/Tokyo), None where the channel states none.
    """

    endpoint: str
    seconds: float
    burst: int = 1
    per_day: int | None = None


class Budgets:
    """The budgets of one channel. `redis` is an asyncio client of redis-py."""

    def __init__(self, redis: Any, *, channel_id: int, budgets: tuple[Budget, ...]) -> None:
        self._redis = redis
        self._channel_id = channel_id
        self._by_endpoint = {budget.endpoint: budget for budget in budgets}

    async def take(
        self, endpoint: str, *, longest_wait_seconds: float, day: str, cost: int = 1
    ) -> None:
        """Wait for one call of `endpoint` that costs `cost` (points; at most the burst).

        Raises `Throttled` (with the wait in seconds) at once if it would take longer than allowed,
        `RetryLater` while Valkey cannot be asked: a call without a budget is not made.
        """
        budget = self._by_endpoint[endpoint]
        try:
            verdict, wait = await self._redis.eval(
                _TAKE,
                1,
                self._key(endpoint),
                budget.seconds * 1000,
                budget.burst,
                longest_wait_seconds * 1000,
                budget.per_day or 0,
                day,
                min(cost, budget.burst),
            )
        except RedisError as error:
            raise RetryLater(f"{endpoint}: no budget, Valkey does not answer") from error
        if _text(verdict) == "day":
            raise Throttled(f"{endpoint}: today's {budget.per_day} calls are used up", seconds=600)
        seconds = float(_text(wait)) / 1000
        if _text(verdict) == "wait":
            raise Throttled(f"{endpoint}: budget is used up", seconds=seconds)
        if seconds > 0:
            await asyncio.sleep(seconds)

    async def give_back(self, endpoint: str, cost: int) -> None:
        """Return points that a call did not need; below 0, take those it needed more.

        The call is over: where Valkey does not answer, its result counts and the points are lost.
        """
        budget = self._by_endpoint[endpoint]
        with contextlib.suppress(RedisError):
            await self._redis.eval(_GIVE_BACK, 1, self._key(endpoint), budget.seconds * 1000, cost)

    async def level(self, endpoint: str) -> float:
        """How many calls could be made at once now; below 1 means that a call would wait.

        0 while Valkey cannot be asked.
        """
        budget = self._by_endpoint[endpoint]
        try:
            level = await self._redis.eval(
                _LEVEL, 1, self._key(endpoint), budget.seconds * 1000, budget.burst
            )
        except RedisError:
            return 0.0
        return float(_text(level))

    def burst(self, endpoint: str) -> int:
        """The most calls that `endpoint` takes at once."""
        return self._by_endpoint[endpoint].burst

    async def fill(self) -> None:
        """Say that no call was ever made: for a channel that a person has just connected.

        Buckets that are in use already stay as they are. Raises `RetryLater` without Valkey.
        """
        try:
            for endpoint in self._by_endpoint:
                await self._redis.hsetnx(self._key(endpoint), "tat", 0)
        except RedisError as error:
            raise RetryLater("no budgets, Valkey does not answer") from error

    async def drain(self, endpoint: str) -> None:
        """Say that the channel refused a call as too many: the bucket starts empty again."""
        with contextlib.suppress(RedisError):
            await self._redis.hdel(self._key(endpoint), "tat")

    def _key(self, endpoint: str) -> str:
        return f"budget:{self._channel_id}:{endpoint}"


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
