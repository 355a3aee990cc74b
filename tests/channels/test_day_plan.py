"""A day's calls: planned over the day by a clock moved by hand, with a reserve for the urgent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from channels.base import Throttled
from channels.limits import Budget, Budgets, Purpose, asking

NOON = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
DAYS = Budget(endpoint="day", seconds=0.001, burst=100_000, per_day=1000)


class Day:
    """A channel that permits a thousand calls a day, and a clock that is moved by hand."""

    def __init__(self, redis: Redis) -> None:
        self.now = NOON
        self.budgets = Budgets(redis, channel_id=1, budgets=(DAYS,), now=lambda: self.now)

    def at(self, hour: float) -> None:
        """Move to an hour of that day in Tokyo; 24 is midnight."""
        self.now = datetime(2026, 11, 20, 15, 0, tzinfo=UTC) + timedelta(hours=hour)

    async def spend(self, purpose: Purpose) -> int:
        """Call until no call is left for it by now; how often."""
        for made in range(2000):
            try:
                with asking(purpose):
                    await self.budgets.take("day", longest_wait_seconds=0)
            except Throttled as throttled:
                self.wait = throttled.seconds
                return made
        raise AssertionError("nothing holds it")


@pytest.mark.parametrize(
    ("purpose", "by_midnight", "by_noon", "at_the_end"),
    [
        (Purpose.BACKGROUND, 37, 203, 370),
        (Purpose.PULL, 123, 426, 730),
        (Purpose.NUMBER, 150, 375, 600),
        (Purpose.CANCEL, 1000, 1000, 1000),
    ],
)
async def test_a_days_calls_are_planned_over_the_day(
    redis: Redis, purpose: Purpose, by_midnight: int, by_noon: int, at_the_end: int
) -> None:
    day = Day(redis)
    day.at(0)
    await day.budgets.fill()

    assert await day.spend(purpose) == pytest.approx(by_midnight, abs=2)
    day.at(12)
    assert await day.spend(purpose) == pytest.approx(by_noon - by_midnight, abs=2)
    day.at(23.9999)
    assert await day.spend(purpose) == pytest.approx(at_the_end - by_noon, abs=2)


async def test_a_quiet_day_leaves_its_calls_for_the_sale_night(redis: Redis) -> None:
    day = Day(redis)
    day.at(0)
    await day.budgets.fill()
    day.at(20)

    assert await day.spend(Purpose.PULL) >= 600


async def test_the_reserve_is_there_when_all_else_is_spent(redis: Redis) -> None:
    day = Day(redis)
    day.at(0)
    await day.budgets.fill()
    day.at(23)

    for purpose in (Purpose.NUMBER, Purpose.READ_BACK, Purpose.PULL, Purpose.BACKGROUND):
        await day.spend(purpose)

    assert await day.spend(Purpose.ZERO) >= 100
    assert await day.spend(Purpose.CANCEL) == 0
    [seen] = await day.budgets.observed()
    assert seen.used_today == 1000


async def test_the_wait_says_when_a_call_is_affordable_again(redis: Redis) -> None:
    day = Day(redis)
    day.at(6)
    await day.budgets.fill()
    await day.spend(Purpose.PULL)
    wait = day.wait
    assert 0 < wait < 200

    day.now += timedelta(seconds=wait - 5)
    assert await day.spend(Purpose.PULL) == 0
    day.now += timedelta(seconds=6)
    assert await day.spend(Purpose.PULL) == 1


async def test_a_new_day_begins_with_none_used(redis: Redis) -> None:
    day = Day(redis)
    day.at(23)
    await day.budgets.fill()
    await day.spend(Purpose.CANCEL)
    assert day.wait == pytest.approx(3600, abs=1)

    day.at(24)

    assert await day.spend(Purpose.PULL) == pytest.approx(123, abs=1)


async def test_a_day_that_valkey_forgot_is_taken_to_be_as_used_as_it_may_be(redis: Redis) -> None:
    day = Day(redis)
    day.at(0)
    await day.budgets.fill()
    day.at(12)
    pulled = await day.spend(Purpose.PULL)

    await redis.flushall()
    await day.budgets.drain("day")
    await redis.hset("budget:1:day", "tat", "0")

    most = sum([await day.spend(Purpose.BACKGROUND), await day.spend(Purpose.PULL)])
    assert most + await day.spend(Purpose.NUMBER) <= 3
    made = pulled + most
    day.at(13)
    polled = await day.spend(Purpose.PULL)
    assert polled > 0
    assert made + polled + await day.spend(Purpose.ZERO) <= 1000


async def test_however_much_is_pushed_polling_goes_on(redis: Redis) -> None:
    day = Day(redis)
    day.at(0)
    await day.budgets.fill()
    polled = []
    for hour in range(24):
        day.at(hour)
        await day.spend(Purpose.NUMBER)
        polled.append(await day.spend(Purpose.PULL))

    assert min(polled) >= 8
