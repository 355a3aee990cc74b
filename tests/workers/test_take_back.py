"""A lone number of a listing that sells is taken down by a guarded decrement, where that works."""

from __future__ import annotations

from sqlalchemy import select

from inventory.models import PushRow
from tests.workers.night import Night


async def sold_and_damaged(night: Night) -> None:
    """One is sold there and seen, one is damaged; what sold since the watermark nobody knows."""
    await night.open("rakuten", units=10)
    await night.pulled("rakuten", night.buy("rakuten", 1))
    await night.damage(1)


async def test_no_unit_is_kept_back_for_the_margin(night: Night) -> None:
    await sold_and_damaged(night)
    await night.round()

    [row] = await night.rows(select(PushRow))
    assert (row.quantity, row.change, row.lane, row.status) == (8, -1, "lower", "accepted")
    assert row.unseen > 0
    assert night.writes("rakuten") == [(9, 8)]
    listing = await night.listing("rakuten")
    assert (listing.quantity_known, listing.lane) == (10 - 1, None)


async def test_a_sale_that_nobody_has_seen_is_not_given_back(night: Night) -> None:
    await sold_and_damaged(night)
    night.buy("rakuten", 4)
    await night.round()

    assert night.writes("rakuten") == [(5, 4)]
    await night.agree(4)
    assert await night.stock() == (9, 5)


async def test_fewer_left_than_thought_is_refused_and_read(night: Night) -> None:
    await sold_and_damaged(night)
    night.buy("rakuten", 9)
    await night.round()

    assert await night.push_ends("rakuten") == ["refused"]
    assert night.writes("rakuten") == []
    listing = await night.listing("rakuten")
    assert (listing.quantity_known, listing.lane) == (None, "read")
    await night.round()
    assert (await night.listing("rakuten")).quantity_known == 0
    await night.agree(0)
