"""Numbers that turn into another one between their assessment and their claim."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from inventory.config import Settings
from tests.workers.night import Night
from workers import push


@pytest.fixture
async def settings(settings: Settings) -> Settings:
    """A rate that half a minute tells."""
    return replace(settings, demand_window_seconds=30)


async def test_a_number_that_turned_into_a_zero_is_rung_for_as_one(night: Night) -> None:
    await night.open("yahoo", units=50)
    await night.pulled("yahoo", night.buy("yahoo", 9))
    await night.damage(1)
    await push.refresh(night.runtime)
    assert (await night.listing("yahoo")).lane == "lower"

    # Meanwhile the orders of so long a time are unknown that all of it may be sold.
    await night.execute("UPDATE channel SET watermark = watermark - interval '10 minutes'")
    await night.execute("UPDATE listing SET known_from = known_from - interval '10 minutes'")
    night.rings.clear()
    assert await push.push(night.runtime, night.ids["yahoo"], "number") == 0

    assert ("push", night.ids["yahoo"], "zero") in night.rings
    await night.rounds(1)
    assert night.shown() == {"yahoo": 0}
