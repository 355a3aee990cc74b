"""Publishing beside the ledger, beside itself and beside the seller: nobody undoes another."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import select, text, update

from inventory import alerts, catalogue, listings, publishing
from inventory import ledger as ledger_module
from inventory.facts import StockReceived
from inventory.listings import Margins
from inventory.models import Listing, Push, PushRow, StaleSku
from inventory.vocabulary import PushOutcome, PushStatus
from tests.conftest import Save
from tests.factories import NOON, ListingFactory, SkuFactory
from tests.publishing.shop import Shop
from tests.rivals import until_waiting
from workers import push

ACCEPTED = PushStatus.ACCEPTED


def tea(ref: str) -> StockReceived:
    return StockReceived(channel_id=0, fact_ref=ref, occurred_at=NOON, sku="TEA", quantity=4)


def mug(ref: str) -> StockReceived:
    return StockReceived(channel_id=0, fact_ref=ref, occurred_at=NOON, sku="MUG", quantity=1)


async def refreshed(shop: Shop) -> None:
    """What the worker does about stale marks, transaction by transaction."""
    parts = SimpleNamespace(database=shop.database, clock=shop.clock, margins=shop.margins)
    await push._refresh_some(cast("Any", parts))


async def look(shop: Shop) -> None:
    """Only the stale marks, so that nothing else puts right what was assessed."""
    async with shop.database.transaction() as session:
        await listings.refresh(session, margins=shop.margins, now=shop.clock.now())


async def test_an_assessment_that_waited_for_the_lock_sees_the_sums_of_that_moment(
    shop: Shop, save: Save
) -> None:
    await shop.open(save)
    await shop.sell(shop.y, 5, "o-1")
    await shop.refresh()
    claim = await shop.claim()
    assert claim is not None
    assert [sent.quantity for sent in claim.pushes] == [5]
    shop.later(1)
    await shop.sell(shop.y, 2, "o-2")
    async with shop.database.transaction() as session:
        accepted = [PushOutcome(channel_sku="X", status=ACCEPTED)]
        await publishing.finish(session, claim.push_id, accepted, now=shop.clock.now())
        await session.flush()
        looking = asyncio.create_task(look(shop))
        await until_waiting(shop.database, looking)
        assert not looking.done()
        await shop.sell(shop.x, 1, "o-3")  # comes in while the assessment waits
    await looking
    async with shop.database.sessions() as session:
        listing = await session.get_one(Listing, shop.x.id)
    assert (listing.lane, listing.quantity_wanted) == ("lower", 2)


async def test_refresh_and_ledger_take_stale_marks_in_one_order(
    shop: Shop, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "RACES_MAX", 1)  # a second try would hide a deadlock
    await shop.open(save)
    await save(SkuFactory.build(code="TEA"))
    await shop.ledger.apply([tea("in-1")])
    shop.later(1)
    await shop.ledger.apply([mug("in-2")])  # the mark of the first SKU is the younger one
    async with shop.database.transaction() as session:
        await session.execute(text("SELECT FROM stale_sku ORDER BY sku_id DESC LIMIT 1 FOR UPDATE"))
        looking = asyncio.create_task(look(shop))
        await until_waiting(shop.database, looking)
        booking = asyncio.create_task(shop.ledger.apply([mug("in-3"), tea("in-4")]))
        await until_waiting(shop.database, booking, waiters=2)
        assert not looking.done()
        assert not booking.done()
    await asyncio.gather(looking, booking)


async def two_numbers_sent(shop: Shop, save: Save) -> int:
    """A push with a number for X and one for Z, another SKU's listing; only Z's SKU is stale."""
    await save(SkuFactory.build(code="TEA"))
    async with shop.database.transaction() as session:
        now = shop.clock.now()
        sku = await catalogue.sku_by_code(session, "TEA")
        channel_id = shop.x.channel_id
        z = ListingFactory.build(channel_id=channel_id, sku_id=sku.id, channel_sku="Z")
        sent = Push(channel_id=channel_id, lane="number", sent_at=now)
        session.add_all([z, sent])
        await session.flush()
        stamp: dict[str, Any] = {"revision": 1, "stock_revision": 1, "decided_at": now, "unseen": 0}
        for listing in (shop.x, z):
            row = PushRow(push_id=sent.id, listing_id=listing.id, quantity=3, lane="lower", **stamp)
            session.add(row)
        await session.execute(
            update(Listing)
            .where(Listing.id.in_([shop.x.id, z.id]))
            .values(push_id=sent.id, reassess_at=now)
        )
        push_id = sent.id
    await shop.ledger.apply([tea("in-1")])
    return push_id


async def test_the_end_of_a_push_does_not_cross_refresh_and_reassess(
    shop: Shop, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.open(save)
    push_id = await two_numbers_sent(shop, save)
    reassess = listings.reassess
    ends: list[asyncio.Task[None]] = []

    async def end() -> None:
        outcomes = [PushOutcome(channel_sku=sku, status=ACCEPTED) for sku in "XZ"]
        async with shop.database.transaction() as session:
            await publishing.finish(session, push_id, outcomes, now=shop.clock.now())

    async def meanwhile(*args: Any, **kwargs: Any) -> int:
        ends.append(asyncio.create_task(end()))
        await until_waiting(shop.database, ends[0])
        return await reassess(*args, **kwargs)

    monkeypatch.setattr(listings, "reassess", meanwhile)
    await refreshed(shop)
    await ends[0]
    async with shop.database.sessions() as session:
        ended = await session.get_one(Push, push_id)
    assert ended.ended_at is not None


async def test_a_change_of_a_sku_does_not_cross_a_refresh(
    shop: Shop, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.open(save)
    await shop.receive(1)
    evaluate = alerts.evaluate
    changes: list[asyncio.Task[None]] = []

    async def change() -> None:
        held_back = catalogue.SkuChange(safety_stock=2)
        async with shop.database.transaction() as session:
            now = shop.clock.now()
            await catalogue.change_sku(session, "MUG", held_back, by="test", now=now)

    async def meanwhile(*args: Any) -> int:
        changes.append(asyncio.create_task(change()))
        await until_waiting(shop.database, changes[0])
        return await evaluate(*args)

    monkeypatch.setattr(alerts, "evaluate", meanwhile)
    await refreshed(shop)
    await changes[0]
    async with shop.database.sessions() as session:
        assert list(await session.scalars(select(StaleSku.sku_id))) == [shop.x.sku_id]


async def test_a_mark_made_anew_is_not_taken_away_by_an_older_reader(
    shop: Shop, save: Save, margins: Margins, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.open(save)
    await shop.receive(1)
    async with shop.database.transaction() as session:
        execute = session.execute

        async def slow(*args: Any, **kwargs: Any) -> Any:
            found = await execute(*args, **kwargs)
            monkeypatch.setattr(session, "execute", execute)
            await look(shop)  # the same mark is read and taken away by another refresher
            await shop.receive(7)
            return found

        monkeypatch.setattr(session, "execute", slow)
        await listings.refresh(session, margins=margins, now=shop.clock.now())
    async with shop.database.sessions() as session:
        assert list(await session.scalars(select(StaleSku.sku_id))) == [shop.x.sku_id]
