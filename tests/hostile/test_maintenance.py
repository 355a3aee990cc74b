"""Maintenance on Sunday night: it begins and ends by the clock, and the night goes on after it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from channels.rakuten import adapter as rakuten
from channels.yahoo import adapter as yahoo
from inventory.clock import JST
from tests.hostile.story import Story
from tests.workers.night import Night
from workers import reconcile

SUNDAY = 6


class Time:
    """Everybody's time of day: the house's, the adapters' and the shops'."""

    def __init__(self, night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
        self.night = night
        for module in (rakuten, yahoo):
            defaults = module.build.__kwdefaults__
            assert defaults is not None
            monkeypatch.setitem(defaults, "now", night.runtime.clock.now)
        today = datetime.now(JST).replace(hour=0, minute=0, second=0, microsecond=0)
        self.sunday = today + timedelta(days=(SUNDAY - today.weekday()) % 7 or 7)

    def to_sunday(self, hour: int, minute: int) -> None:
        """Go on to this time of the next Sunday in Japan."""
        there = self.sunday.replace(hour=hour, minute=minute)
        ahead = there - datetime.now(JST)
        self.night.runtime.clock.offset = ahead
        self.night.sandbox.move_clock(ahead.total_seconds())


# Amazon and Shopify announce no hours of the week; an outage of theirs is a storm of 503.
@pytest.mark.parametrize("kind", ["rakuten", "yahoo"])
async def test_sales_of_a_sunday_night_are_booked_when_the_maintenance_is_over(
    story: Callable[[str], Story], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = story(kind)
    night = told.night
    clock = Time(night, monkeypatch)
    clock.to_sunday(1, 50)
    await told.open()
    told.strike(sunday_maintenance=1)
    night.buy(kind)
    await told.round()
    assert await night.units_sold() == 1
    await told.round()
    before = night.writes(kind)

    clock.to_sunday(2, 10)
    night.buy(kind, 2)
    night.buy(told.well)
    await night.damage(1)
    for _ in range(2):
        await told.round()
    await told.named()
    assert night.writes(kind) == before

    clock.to_sunday(8, 5)
    for channel_id in night.ids.values():
        await reconcile.work(night.runtime, channel_id)
    # The knob stays as it is: the maintenance is over by itself.
    await told.recovered(sunday_maintenance=1)
    assert night.shown() == {kind: 5, told.well: 5}
