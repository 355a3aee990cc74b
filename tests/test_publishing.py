"""Stories of a listing's number: wanted, pushed, in doubt, read back."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from inventory import listings, publishing, readings
from inventory.db import Database
from inventory.facts import OrderObserved, StockReceived
from inventory.ledger import Ledger
from inventory.listings import Margins
from inventory.models import Channel, Listing, PushRow, StaleSku, Switch
from inventory.publishing import Claim
from inventory.vocabulary import PushOutcome, PushStatus, Reading
from tests.conftest import HandClock, Save
from tests.factories import ChannelFactory, ListingFactory, SkuFactory, line, order_seen


class Shop:
    """One SKU listed as X on one channel and as Y on another, with what publishing does to X."""

    def __init__(self, database: Database, ledger: Ledger, clock: HandClock, margins: Margins):
        self.database, self.ledger, self.clock, self.margins = database, ledger, clock, margins
        self.x: Listing
        self.y: Listing

    async def open(self, save: Save, *, kind: str = "rakuten", units: int = 10) -> None:
        """Receive the units; X is known to show them, and its channel was pulled just now."""
        now = self.clock.now()
        sku = SkuFactory.build(code="MUG")
        first = ChannelFactory.build(kind=kind, watermark=now)
        second = ChannelFactory.build(kind="yahoo", watermark=now)
        await save(sku, first, second)
        known: dict[str, Any] = {"known_from": now, "known_at": now, "quantity_known": units}
        self.x = ListingFactory.build(
            channel_id=first.id, sku_id=sku.id, channel_sku="X", revision_wanted=1, **known
        )
        self.x.revision_published = 1
        self.y = ListingFactory.build(channel_id=second.id, sku_id=sku.id, channel_sku="Y")
        await save(self.x, self.y)
        await self.receive(units)
        self.later(30)
        await self.refresh()

    async def receive(self, units: int) -> None:
        await self.ledger.apply(
            [
                StockReceived(
                    channel_id=0,
                    fact_ref=f"in-{self.clock.now()}-{units}",
                    occurred_at=self.clock.now(),
                    sku="MUG",
                    quantity=units,
                )
            ]
        )

    async def sell(self, listing: Listing, units: int, ref: str = "o-1", **more: Any) -> None:
        """An order comes in from the listing's channel, placed now."""
        moment = {"ordered_at": self.clock.now(), "observed_at": self.clock.now()}
        order = order_seen(ref, lines=(line(listing.channel_sku, units),), **(moment | more))
        found = {listing.channel_sku: (listing.id, "MUG")}
        [outcome] = await self.ledger.apply(
            [OrderObserved(channel_id=listing.channel_id, order=order, listings=found)]
        )
        assert outcome.status.value == "recorded"

    def later(self, seconds: float) -> datetime:
        self.clock.moment += timedelta(seconds=seconds)
        return self.clock.moment

    async def refresh(self) -> None:
        async with self.database.transaction() as session:
            await listings.refresh(session, margins=self.margins, now=self.clock.now())
            await listings.reassess(session, margins=self.margins, now=self.clock.now())

    async def pulled(self) -> None:
        """X's channel has been pulled up to now."""
        async with self.database.transaction() as session:
            await session.execute(
                update(Channel)
                .where(Channel.id == self.x.channel_id)
                .values(watermark=self.clock.now())
            )

    async def claim(self, *, zero: bool = False) -> Claim | None:
        async with self.database.transaction() as session:
            return await publishing.claim(
                session,
                self.x.channel_id,
                zero=zero,
                most=100,
                margins=self.margins,
                now=self.clock.now(),
            )

    async def numbers(self, *, zero: bool = False) -> list[tuple[int, int | None]]:
        """Claim what may go out to X's channel now, have it accepted, and say what it was."""
        claim = await self.claim(zero=zero)
        if claim is None:
            return []
        await self.ended(claim)
        return [(push.quantity, push.change) for push in claim.pushes]

    async def ended(self, claim: Claim, status: PushStatus = PushStatus.ACCEPTED) -> None:
        outcomes = [
            PushOutcome(channel_sku=push.channel_sku, status=status) for push in claim.pushes
        ]
        async with self.database.transaction() as session:
            await publishing.finish(session, claim.push_id, outcomes, now=self.later(0.1))

    async def read(self, quantity: int | None, *, closed: bool = False) -> list[str]:
        """Read what is due on X's channel; every listing shows `quantity`. What was read."""
        async with self.database.transaction() as session:
            now = self.clock.now()
            due = await readings.due(session, self.x.channel_id, most=100, now=now)
            answers = [
                Reading(channel_sku=channel_sku, quantity=quantity, closed=closed)
                for _, channel_sku in due
            ]
            await readings.record(
                session,
                [listing_id for listing_id, _ in due],
                answers,
                asked_at=now,
                margins=self.margins,
                now=self.later(0.1),
            )
        return [channel_sku for _, channel_sku in due]

    async def stale(self) -> bool:
        async with self.database.sessions() as session:
            listing = await session.get_one(Listing, self.x.id)
        return listing.revision_published < listing.revision_wanted


@pytest.fixture
def shop(database: Database, ledger: Ledger, clock: HandClock, margins: Margins) -> Shop:
    return Shop(database, ledger, clock, margins)


async def test_a_sale_elsewhere_lowers_the_listing_at_once(shop: Shop, save: Save) -> None:
    await shop.open(save)
    await shop.sell(shop.y, 2)
    await shop.refresh()
    assert await shop.stale()
    assert await shop.numbers() == [(8, None)]
    assert not await shop.stale()
    assert await shop.numbers() == []


async def test_a_sale_on_the_channel_itself_needs_no_push(shop: Shop, save: Save) -> None:
    await shop.open(save)
    await shop.sell(shop.x, 2)
    await shop.refresh()
    assert not await shop.stale()
    assert await shop.numbers() == []


async def test_ten_sales_become_one_push(shop: Shop, save: Save) -> None:
    await shop.open(save)
    for number in range(9):
        await shop.sell(shop.y, 1, f"o-{number}")
        await shop.refresh()
    assert await shop.numbers() == [(1, None)]


async def test_a_raise_waits_for_a_pull_that_is_later_than_the_decision(
    shop: Shop, save: Save
) -> None:
    await shop.open(save)
    await shop.receive(5)
    await shop.refresh()
    assert await shop.numbers() == []
    shop.later(1)
    await shop.pulled()
    assert await shop.numbers() == [(15, None)]
    async with shop.database.sessions() as session:
        row = (await session.scalars(select(PushRow))).one()
    assert row.lane == "raise"
    assert row.watermark is not None
    assert row.watermark > row.decided_at


async def test_a_raise_that_became_smaller_meanwhile_goes_out_smaller(
    shop: Shop, save: Save
) -> None:
    await shop.open(save)
    await shop.receive(5)
    await shop.refresh()
    shop.later(1)
    await shop.pulled()
    await shop.sell(shop.y, 3)
    assert await shop.numbers() == [(12, None)]


async def test_a_raise_that_grew_meanwhile_waits_anew(shop: Shop, save: Save) -> None:
    await shop.open(save)
    await shop.receive(5)
    await shop.refresh()
    shop.later(1)
    await shop.pulled()
    await shop.receive(4)
    await shop.refresh()
    assert await shop.numbers() == []
    shop.later(1)
    await shop.pulled()
    assert await shop.numbers() == [(19, None)]


async def test_a_listing_that_sells_keeps_a_margin_for_sales_not_seen_yet(
    shop: Shop, save: Save
) -> None:
    await shop.open(save)
    await shop.sell(shop.x, 1, "o-1")
    await shop.pulled()
    shop.later(3)
    # One unit a minute, three seconds blind: two more may have gone (0.1 %). 9 stand there for
    # all we know; the ledger has 8 left, and 7 is safe whatever happened.
    await shop.sell(shop.y, 1, "o-2")
    await shop.refresh()
    assert await shop.numbers() == [(7, None)]
    shop.later(90)
    await shop.pulled()
    await shop.refresh()
    shop.later(1)
    await shop.pulled()
    assert await shop.numbers() == [(8, None)]


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


async def test_an_unknown_outcome_is_read_back_before_anything_else(
    shop: Shop, save: Save
) -> None:
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


async def test_frozen_channel_and_frozen_house_publish_nothing(shop: Shop, save: Save) -> None:
    await shop.open(save)
    await shop.sell(shop.y, 2)
    await shop.refresh()
    await save(Switch(name="frozen", value={"on": True}))
    assert await shop.claim() is None
    async with shop.database.transaction() as session:
        await session.execute(update(Switch).values(value={"on": False}))
        await session.execute(update(Channel).values(frozen=True))
    assert await shop.claim() is None
    async with shop.database.transaction() as session:
        await session.execute(update(Channel).values(frozen=False))
    assert await shop.numbers() == [(8, None)]


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


async def test_a_relative_channel_sends_differences_and_raises_without_waiting(
    shop: Shop, save: Save
) -> None:
    await shop.open(save, kind="shopify")
    await shop.pulled()
    await shop.sell(shop.y, 2, "o-1")
    await shop.refresh()
    assert await shop.numbers() == [(8, -2)]
    await shop.receive(5)
    await shop.refresh()
    assert await shop.numbers() == [(13, 5)]
    await shop.sell(shop.x, 1, "o-2")
    await shop.refresh()
    assert await shop.numbers() == []


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
