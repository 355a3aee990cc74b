"""A lone number of a listing that sells is taken down by a guarded decrement, where that works."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from inventory.config import Settings
from inventory.models import PushRow
from tests.workers.night import Night


@pytest.fixture
async def settings(settings: Settings) -> Settings:
    """A rate that half a minute tells, so that it does not matter how quick the machine is."""
    return replace(settings, demand_window_seconds=30)


async def sold_and_damaged(night: Night) -> None:
    """Some sold there and seen, one damaged; what sold since the watermark nobody knows."""
    await night.open("rakuten", units=100)
    await night.pulled("rakuten", night.buy("rakuten", 20))
    await night.damage(1)


async def test_no_unit_is_kept_back_for_the_margin(night: Night) -> None:
    await sold_and_damaged(night)
    await night.round()

    [row] = await night.rows(select(PushRow))
    assert (row.quantity, row.change, row.lane, row.status) == (79, -1, "lower", "accepted")
    assert row.unseen > 1
    assert night.writes("rakuten") == [(80, 79)]
    listing = await night.listing("rakuten")
    assert (listing.quantity_known, listing.lane) == (100 - 1, None)


async def test_a_sale_that_nobody_has_seen_is_not_given_back(night: Night) -> None:
    await sold_and_damaged(night)
    night.buy("rakuten", 4)
    await night.round()

    assert night.writes("rakuten") == [(76, 75)]
    await night.agree(75)
    assert await night.stock() == (99, 24)


async def test_fewer_left_than_thought_is_refused_and_read(night: Night) -> None:
    await sold_and_damaged(night)
    night.buy("rakuten", 80)
    await night.round()

    assert await night.push_ends("rakuten") == ["refused"]
    assert night.writes("rakuten") == []
    listing = await night.listing("rakuten")
    assert (listing.quantity_known, listing.lane) == (None, "read")
    await night.round()
    assert (await night.listing("rakuten")).quantity_known == 0
    await night.agree(0)
