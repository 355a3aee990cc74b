"""A shop that was just connected is looked at and never written to, until somebody says go."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text

from inventory import connections, shadow
from inventory.catalogue import ListingRow, put_listings
from inventory.errors import WrongState
from inventory.facts import HOUSE_CHANNEL_ID, StockReceived
from inventory.models import Alert, Audit, Cancellation, Channel, Oversell, Push
from inventory.shadow import ShadowTotals
from inventory.vocabulary import ListingSeen
from tests.factories import NOON, line, order_seen
from tests.onboarding.conftest import Connect
from tests.onboarding.fake_shop import FakeShop
from workers import desk, onboarding, push
from workers.runtime import Runtime

SKUS = ("MUG", "PEN", "TEE")


async def listed(runtime: Runtime, channel: Channel) -> None:
    """Ten MUGs, five PENs and no TEE lie in the house; all are on sale."""
    async with runtime.database.transaction() as session:
        rows = [ListingRow(channel_sku=f"R-{sku}", sku=sku) for sku in SKUS]
        await put_listings(session, channel.id, rows, by="mori", now=NOON)
    await runtime.ledger.apply(
        [
            StockReceived(
                channel_id=HOUSE_CHANNEL_ID, fact_ref=sku, occurred_at=NOON, sku=sku, quantity=units
            )
            for sku, units in (("MUG", 10), ("PEN", 5))
        ]
    )


async def worked(runtime: Runtime, channel: Channel) -> None:
    """The workers do all that they would do for the channel."""
    await push.refresh(runtime)
    await push.read(runtime, channel.id)
    await push.refresh(runtime)
    await push.push(runtime, channel.id, "zero")
    await push.push(runtime, channel.id, "number")
    await desk.work(runtime)


async def test_what_would_be_published_is_shown_beside_what_the_channel_shows(
    runtime: Runtime, shop: FakeShop, connect: Connect
) -> None:
    channel = await connect(skus=SKUS)
    shop.shown = {"R-MUG": 10, "R-PEN": 3, "R-TEE": 2}
    shop.listings = [ListingSeen(channel_sku="R-TEE", quantity=2), ListingSeen(channel_sku="R-CAP")]
    await onboarding.discover(runtime, channel.id, lambda *_: None)
    await listed(runtime, channel)

    await worked(runtime, channel)

    async with runtime.database.sessions() as session:
        assert list(await session.scalars(select(Push))) == []
        rows = await shadow.rows(session, channel.id, after_id=0, limit=9, differing=True)
        totals = await shadow.totals(session, channel.id)
    assert [(row.channel_sku, row.shows, row.would_show, row.difference) for row in rows] == [
        ("R-PEN", 3, 5, 2),
        ("R-TEE", 2, 0, -2),
    ]
    assert totals == ShadowTotals(
        listings=3, agree=1, would_rise=1, would_fall=1, to_zero=1, unread=0, unlisted=1
    )


async def test_its_orders_are_nobodys_case_before_it_is_live(
    runtime: Runtime, shop: FakeShop, connect: Connect
) -> None:
    channel = await connect(skus=SKUS, desk_policy="review")
    await listed(runtime, channel)
    sold = order_seen(lines=(line(quantity=12),))
    await runtime.inbox.receive_orders(channel.id, [sold])
    await runtime.inbox.handle()

    await worked(runtime, channel)

    async with runtime.database.sessions() as session:
        assert list(await session.scalars(select(Oversell))) == []
        assert list(await session.scalars(select(Alert))) == []
    async with runtime.database.transaction() as session:
        await connections.go_live(session, "shop", by="mori", now=NOON)
    await push.refresh(runtime)
    await desk.work(runtime)

    async with runtime.database.sessions() as session:
        [case] = await session.scalars(select(Oversell))
        assert (case.state, case.shortage) == ("open", 2)
        [cancellation] = await session.scalars(select(Cancellation))
        assert cancellation.oversell_id == case.id


async def test_what_live_shops_alone_make_short_is_a_case_without_its_orders(
    runtime: Runtime, shop: FakeShop, connect: Connect
) -> None:
    store = await connect(code="web", kind="own_store", base_url="", credentials={})
    channel = await connect(skus=SKUS, desk_policy="auto")
    await listed(runtime, channel)
    async with runtime.database.transaction() as session:
        rows = [ListingRow(channel_sku="W-MUG", sku="MUG")]
        await put_listings(session, store.id, rows, by="mori", now=NOON)
    told = [order_seen("s-1", lines=(line(quantity=4),))]
    await runtime.inbox.receive_orders(channel.id, told)
    told = [order_seen("w-1", lines=(line("W-MUG", quantity=11),))]
    await runtime.inbox.receive_orders(store.id, told)

    await runtime.inbox.handle()

    async with runtime.database.sessions() as session:
        [case] = await session.scalars(select(Oversell))
        assert (case.state, case.shortage) == ("open", 1)


async def test_go_is_on_record_and_numbers_go_out(
    runtime: Runtime, shop: FakeShop, connect: Connect
) -> None:
    channel = await connect(skus=SKUS)
    await listed(runtime, channel)
    shop.shown = {"R-MUG": 12, "R-PEN": 5, "R-TEE": 2}
    await worked(runtime, channel)
    async with runtime.database.transaction() as session:
        with pytest.raises(WrongState, match="was never live"):
            await connections.set_frozen(session, "shop", frozen=False, by="mori", now=NOON)

    async with runtime.database.transaction() as session:
        await connections.go_live(session, "shop", by="mori", now=NOON)

    async with runtime.database.sessions() as session:
        held = await session.get_one(Channel, channel.id)
        assert (held.live_at, held.frozen) == (NOON, False)
        last = select(Audit.action, Audit.done_by).order_by(Audit.id.desc()).limit(1)
        assert (await session.execute(last)).one() == ("channel.live", "mori")
        stale = await session.scalar(text("SELECT count(*) FROM stale_sku"))
        assert stale == 3
        due = {work for work in await push.waiting(session, NOON) if work[0] == "push"}
        assert due == {("push", (channel.id, "zero")), ("push", (channel.id, "number"))}
    async with runtime.database.transaction() as session:
        with pytest.raises(WrongState, match="is live already"):
            await connections.go_live(session, "shop", by="mori", now=NOON)
        await connections.set_frozen(session, "shop", frozen=True, by="mori", now=NOON)
        await connections.set_frozen(session, "shop", frozen=False, by="mori", now=NOON)


async def test_an_own_store_and_whoever_says_so_is_live_at_once(connect: Connect) -> None:
    store = await connect(code="web", kind="own_store", base_url="", credentials={})
    live = await connect(code="other", live=True)

    assert [(each.live_at, each.frozen) for each in (store, live)] == [(NOON, False)] * 2
