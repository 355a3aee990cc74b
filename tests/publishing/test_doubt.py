"""What happens when a number's fate is not certain."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update

from inventory import listings, publishing
from inventory.models import Listing, StaleSku
from inventory.vocabulary import PushStatus
from tests.conftest import Save
from tests.factories import ListingFactory
from tests.publishing.shop import Shop


async def test_a_sale_during_the_push_is_pushed_again(shop: Shop, save: Save) -> None:
    await shop.open(save)
    await shop.sell(shop.y, 2, "o-1")
    await shop.refresh()
    claim = await shop.claim()
    assert claim is not None
    await shop.sell(shop.y, 3, "o-2")
    await shop.refresh()
    assert await shop.claim() is None  # one push in flight
    await shop.ended(claim)
    assert await shop.stale()
    assert await shop.numbers() == [(5, None)]


async def test_a_zero_overtakes_is_sent_again_and_read_back(shop: Shop, save: Save) -> None:
    await shop.open(save)
    await shop.sell(shop.y, 2, "o-1")
    await shop.refresh()
    slow = await shop.claim()
    assert slow is not None
    await shop.sell(shop.y, 8, "o-2")
    await shop.refresh()
    assert await shop.numbers(zero=True) == [(0, None)]
    await shop.ended(slow)  # it may have landed after the zero
    assert await shop.numbers(zero=True) == [(0, None)]
    shop.later(5)
    assert await shop.read(0) == ["X"]
    assert await shop.numbers(zero=True) == []
    assert not await shop.stale()


async def test_an_unknown_outcome_is_read_back_before_anything_else(shop: Shop, save: Save) -> None:
    await shop.open(save)
    await shop.sell(shop.y, 2)
    await shop.refresh()
    claim = await shop.claim()
    assert claim is not None
    await shop.ended(claim, PushStatus.UNKNOWN)
    assert await shop.stale()
    assert await shop.numbers() == []
    assert await shop.read(10) == []  # it may still be on its way
    shop.later(3)
    assert await shop.read(10) == ["X"]
    assert await shop.numbers() == [(8, None)]


async def test_a_late_second_end_of_a_push_changes_nothing(shop: Shop, save: Save) -> None:
    await shop.open(save)
    await shop.sell(shop.y, 2)
    await shop.refresh()
    claim = await shop.claim()
    assert claim is not None
    await shop.ended(claim)
    await shop.ended(claim, PushStatus.UNKNOWN)
    assert not await shop.stale()


async def test_a_refused_number_waits_longer_each_time(shop: Shop, save: Save) -> None:
    await shop.open(save)
    await shop.sell(shop.y, 2)
    await shop.refresh()
    for wait in (2, 4, 8):
        claim = await shop.claim()
        assert claim is not None
        await shop.ended(claim, PushStatus.REFUSED)
        shop.later(wait - 0.5)
        assert await shop.claim() is None
        shop.later(0.6)
    assert await shop.stale()


async def test_a_new_listing_is_read_before_it_is_raised(shop: Shop, save: Save) -> None:
    await shop.open(save)
    fresh = ListingFactory.build(
        channel_id=shop.x.channel_id, sku_id=shop.x.sku_id, channel_sku="NEW"
    )
    await save(fresh)
    await shop.receive(1)
    await shop.refresh()
    assert await shop.read(3) == ["NEW"]
    shop.later(1)
    await shop.pulled()
    claim = await shop.claim()
    assert claim is not None
    assert {(push.channel_sku, push.quantity) for push in claim.pushes} == {("NEW", 11), ("X", 11)}


async def test_a_listing_closed_by_its_channel_is_not_stale_and_is_read_again(
    shop: Shop, save: Save
) -> None:
    await shop.open(save)
    async with shop.database.transaction() as session:
        await session.execute(update(Listing).values(closed_by_channel=True))
    await shop.sell(shop.y, 2)
    await shop.refresh()
    assert not await shop.stale()
    assert await shop.numbers() == []
    assert await shop.read(0, closed=True) == ["X"]
    shop.later(61)
    assert await shop.read(0, closed=False) == ["X"]
    assert await shop.stale()


async def test_after_a_cancellation_a_relative_channel_is_read_first(
    shop: Shop, save: Save
) -> None:
    await shop.open(save, kind="shopify")
    ordered_at = shop.clock.now()
    await shop.sell(shop.x, 4)
    await shop.refresh()
    shop.later(5)
    await shop.sell(shop.x, 4, ordered_at=ordered_at, cancelled=True)
    await shop.refresh()
    assert await shop.numbers() == []
    assert await shop.read(10) == ["X"]  # the channel put the units back by itself
    assert not await shop.stale()


async def test_a_push_whose_sender_died_is_found_and_is_unknown(shop: Shop, save: Save) -> None:
    await shop.open(save)
    await shop.sell(shop.y, 2)
    await shop.refresh()
    claim = await shop.claim()
    assert claim is not None
    async with shop.database.sessions() as session:
        assert await publishing.lost_pushes(session, shop.clock.now()) == []
        shop.later(61)
        assert await publishing.lost_pushes(session, shop.clock.now()) == [claim.push_id]


async def test_a_mark_made_during_a_refresh_stays(
    shop: Shop, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.open(save)
    await shop.sell(shop.y, 2, "o-1")
    assess = listings.assess

    async def with_a_rival(*args: Any, **options: Any) -> list[listings.Assessed]:
        found = await assess(*args, **options)
        await shop.sell(shop.y, 1, "o-2")
        return found

    monkeypatch.setattr(listings, "assess", with_a_rival)
    async with shop.database.transaction() as session:
        await listings.refresh(session, margins=shop.margins, now=shop.clock.now())
    monkeypatch.undo()
    async with shop.database.sessions() as session:
        assert len(list(await session.scalars(select(StaleSku)))) == 1
    await shop.refresh()
    assert await shop.numbers() == [(7, None)]


async def test_an_unknown_change_of_a_relative_channel_starts_anew_from_zero(
    shop: Shop, save: Save
) -> None:
    await shop.open(save, kind="shopify")
    await shop.sell(shop.y, 2)
    await shop.refresh()
    first = await shop.claim()
    assert first is not None
    await shop.ended(first)
    await shop.sell(shop.y, 1, "o-2")
    await shop.refresh()
    claim = await shop.claim()
    assert claim is not None
    await shop.ended(claim, PushStatus.UNKNOWN)
    await shop.refresh()
    assert await shop.numbers() == []
    assert await shop.numbers(zero=True) == [(0, None)]
    assert await shop.numbers() == []  # what was sold there meanwhile is not in the ledger yet
    shop.later(5)
    assert await shop.read(0) == ["X"]
    shop.later(1)
    await shop.pulled()
    assert await shop.numbers() == [(7, 7)]
