"""Every number once more: behind what changes, and never over what was just sold."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from inventory import publishing, resyncs
from inventory.errors import NotFound, WrongState
from inventory.models import Channel, PushRow
from inventory.reconcile import readings
from inventory.vocabulary import PushStatus, Reading
from tests.conftest import Save
from tests.publishing.again import Again
from tests.publishing.shop import Shop


@pytest.fixture
async def again(shop: Shop, save: Save) -> Again:
    """Ten mugs, in sync on a Rakuten shop."""
    again = Again(shop.database, shop.ledger, shop.clock, shop.margins)
    await again.open(save)
    return again


async def test_a_number_in_sync_is_sent_once_more_and_only_once(again: Again) -> None:
    assert await again.start() == 1
    assert await again.numbers() == []  # nothing is stale
    claim = await again.claim_again()
    assert claim is not None
    assert [(push.channel_sku, push.quantity) for push in claim.pushes] == [("X", 10)]
    assert claim.lane == publishing.RESYNC
    assert (await again.progress()).done == 0
    await again.ended(claim)

    progress = await again.progress()
    assert (progress.total, progress.done, progress.seconds_left) == (1, 1, 0.0)
    assert progress.ended_at is not None
    assert await again.claim_again() is None


async def test_a_number_that_changed_goes_by_its_own_lane_and_counts(again: Again) -> None:
    await again.start()
    await again.sell(again.y, 2)
    await again.refresh()
    assert await again.claim_again() is None
    assert await again.numbers() == [(8, None)]
    assert (await again.progress()).ended_at is not None


async def test_a_sale_during_the_resync_is_pushed_again(again: Again) -> None:
    await again.start()
    claim = await again.claim_again()
    assert claim is not None
    await again.sell(again.y, 2)
    await again.refresh()
    assert await again.claim() is None  # one push in flight
    await again.ended(claim)
    assert await again.numbers() == [(8, None)]


async def test_what_sells_waits_for_the_barrier_and_keeps_its_margin(again: Again) -> None:
    again.later(1)
    await again.sell(again.x, 1)
    again.later(5)
    await again.refresh()
    await again.start()
    # One unit a minute: what stands there may be less by now, and ten may give it back.
    assert await again.claim_again() is None
    progress = await again.progress()
    assert (progress.done, progress.waiting) == (0, 1)
    again.later(2)
    await again.pulled()
    again.later(2)
    claim = await again.claim_again()
    assert claim is not None
    assert [push.quantity for push in claim.pushes] == [8]
    async with again.database.sessions() as session:
        row = (await session.scalars(select(PushRow))).one()
    assert row.lane == "raise"
    assert row.watermark is not None
    assert row.watermark > row.decided_at
    assert row.unseen == 1


async def test_a_zero_is_sent_again_as_a_zero(again: Again) -> None:
    await again.sell(again.y, 10)
    await again.refresh()
    assert await again.numbers(zero=True) == [(0, None)]
    await again.start()
    claim = await again.claim_again()
    assert claim is not None
    assert [push.quantity for push in claim.pushes] == [0]


async def test_refused_and_unknown_numbers_stay_marked(again: Again) -> None:
    await again.start()
    claim = await again.claim_again()
    assert claim is not None
    await again.ended(claim, PushStatus.REFUSED)
    assert await again.marks() == 1
    assert await again.claim_again() is None  # it backs off
    again.later(5)
    claim = await again.claim_again()
    assert claim is not None
    await again.ended(claim, PushStatus.UNKNOWN)
    assert await again.claim_again() is None  # read back first
    again.later(5)
    assert await again.read(10) == ["X"]
    claim = await again.claim_again()
    assert claim is not None
    await again.ended(claim)
    assert await again.marks() == 0


async def test_a_frozen_channel_is_resynced_later(again: Again) -> None:
    await again.start()
    async with again.database.transaction() as session:
        await session.execute(update(Channel).values(frozen=True))
    assert await again.claim_again() is None
    assert (await again.progress()).frozen


async def test_asking_again_begins_anew(again: Again) -> None:
    await again.start()
    claim = await again.claim_again()
    assert claim is not None
    again.later(1)
    await again.start()  # this wish is newer than what is on its way
    await again.ended(claim)
    assert await again.marks() == 1


async def test_a_relative_channel_is_read_and_not_overwritten(shop: Shop, save: Save) -> None:
    again = Again(shop.database, shop.ledger, shop.clock, shop.margins)
    await again.open(save, kind="shopify")
    await again.start()
    assert await again.claim_again() is None
    asked_at = again.clock.now()
    async with again.database.transaction() as session:
        due = await readings.due(session, again.x.channel_id, most=10, now=asked_at)
        assert [channel_sku for _, channel_sku in due] == ["X"]
        await readings.record(
            session,
            [again.x.id],
            [Reading(channel_sku="X", quantity=12)],
            asked_at=asked_at,
            margins=again.margins,
            now=again.later(0.1),
        )
    assert (await again.progress()).ended_at is not None
    assert await again.numbers() == [(10, -2)]


async def test_who_cannot_be_resynced(again: Again) -> None:
    async with again.database.transaction() as session:
        with pytest.raises(NotFound):
            await resyncs.start(session, "nobody", by="mori", now=again.clock.now())
        with pytest.raises(WrongState):
            await resyncs.start(session, "house", by="mori", now=again.clock.now())
        with pytest.raises(NotFound):
            await resyncs.progress(session, await again.code(), again.clock.now())
