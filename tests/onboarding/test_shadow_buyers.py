"""What a shop that is only looked at sells comes off the pile, for live shops and for buyers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from inventory import connections
from inventory.alerting import content, measure
from inventory.alerting.content import BuyerAdvice, SellsOn
from inventory.catalogue import ListingRow, put_listings
from inventory.facts import HOUSE_CHANNEL_ID, StockReceived
from inventory.models import Alert, AlertRule, Channel, Listing, Oversell, Sku
from tests.conftest import HandClock, Save
from tests.factories import NOON, line, order_seen
from tests.onboarding.conftest import Connect
from tests.onboarding.fake_shop import FakeShop
from workers import push
from workers.runtime import Runtime

IN_STOCK = 10


@pytest.fixture
async def web(runtime: Runtime, connect: Connect, save: Save, clock: HandClock) -> Channel:
    """Ten MUGs have lain in the house for four weeks; a live store sells them; buyers watch 5."""
    store = await connect(code="web", kind="own_store", base_url="", credentials={}, skus=("MUG",))
    async with runtime.database.transaction() as session:
        rows = [ListingRow(channel_sku="W-MUG", sku="MUG")]
        await put_listings(session, store.id, rows, by="mori", now=NOON)
    await runtime.ledger.apply(
        [
            StockReceived(
                channel_id=HOUSE_CHANNEL_ID,
                fact_ref="in-1",
                occurred_at=NOON - timedelta(days=29),
                sku="MUG",
                quantity=IN_STOCK,
            )
        ]
    )
    await save(AlertRule(level=5, clear_margin=1))
    return store


async def sells(runtime: Runtime, channel: Channel, ref: str, units: int, **more: Any) -> None:
    """A buyer orders there; the workers take it in and look what it changes."""
    told = [order_seen(ref, lines=(line(quantity=units),), **more)]
    await runtime.inbox.receive_orders(channel.id, told)
    await runtime.inbox.handle()
    await push.refresh(runtime)


async def shadow(runtime: Runtime, connect: Connect) -> Channel:
    channel = await connect(desk_policy="review")
    async with runtime.database.transaction() as session:
        rows = [ListingRow(channel_sku="R-MUG", sku="MUG")]
        await put_listings(session, channel.id, rows, by="mori", now=NOON)
    assert channel.shadow
    return channel


async def wanted(runtime: Runtime, channel: Channel) -> int | None:
    async with runtime.database.sessions() as session:
        found = select(Listing.quantity_wanted).where(Listing.channel_id == channel.id)
        return await session.scalar(found)


async def advised(runtime: Runtime) -> BuyerAdvice:
    async with runtime.database.transaction() as session:
        await measure.measure(session, NOON)
        mug = await session.scalar(select(Sku.id))
        assert mug is not None
        return (await content.advice(session, [mug], NOON))[mug]


async def test_buyers_see_what_live_shops_may_sell(
    runtime: Runtime, shop: FakeShop, connect: Connect, web: Channel
) -> None:
    channel = await shadow(runtime, connect)
    await sells(runtime, channel, "o-1", 6)

    assert await wanted(runtime, web) == 4
    async with runtime.database.sessions() as session:
        [alert] = await session.scalars(select(Alert))
    assert (alert.kind, alert.detail["available"]) == ("low_stock", 4)
    assert (await advised(runtime)).available == 4


async def test_its_sales_are_sales_of_the_pile(
    runtime: Runtime, shop: FakeShop, connect: Connect, web: Channel
) -> None:
    channel = await shadow(runtime, connect)
    await sells(runtime, channel, "o-1", 6, ordered_at=NOON - timedelta(days=3))

    found = await advised(runtime)

    assert found.sold_per_day == round(6 / 28, 2)
    assert found.days_of_cover == round(4 / (6 / 28), 1)


async def test_going_live_changes_nothing_for_buyers(
    runtime: Runtime, shop: FakeShop, connect: Connect, web: Channel
) -> None:
    channel = await shadow(runtime, connect)
    await sells(runtime, channel, "o-1", 6, ordered_at=NOON - timedelta(days=3))
    before = await advised(runtime)
    async with runtime.database.transaction() as session:
        await connections.go_live(session, "shop", by="mori", now=NOON)
    await push.refresh(runtime)

    after = await advised(runtime)
    assert (after.available, after.sold_per_day) == (before.available, before.sold_per_day)
    async with runtime.database.sessions() as session:
        assert [alert.state for alert in await session.scalars(select(Alert))] == ["open"]


async def test_what_it_alone_makes_short_is_low_for_buyers_and_nobodys_case(
    runtime: Runtime, shop: FakeShop, connect: Connect, web: Channel
) -> None:
    channel = await shadow(runtime, connect)
    await sells(runtime, channel, "o-1", 12)

    assert await wanted(runtime, web) == 0
    async with runtime.database.sessions() as session:
        assert list(await session.scalars(select(Oversell))) == []
        [alert] = await session.scalars(select(Alert))
    assert alert.detail["available"] == -2


async def test_a_buyer_reads_what_it_shows_though_we_sent_it_nothing(
    runtime: Runtime, shop: FakeShop, connect: Connect, web: Channel
) -> None:
    channel = await shadow(runtime, connect)
    shop.shown = {"R-MUG": 7}
    await push.refresh(runtime)
    await push.read(runtime, channel.id)
    async with runtime.database.transaction() as session:
        await session.execute(
            text("UPDATE listing SET quantity_published = 10 WHERE channel_id = :web"),
            {"web": web.id},
        )

    assert (await advised(runtime)).sells_on == (
        SellsOn(channel="web", channel_sku="W-MUG", shows=10),
        SellsOn(channel="shop", channel_sku="R-MUG", shows=7),
    )
