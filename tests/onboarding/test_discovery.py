"""What a shop has on sale is read to its end, matched with our SKUs, looked at, then used."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from channels.base import Rejected, Throttled
from inventory import matches, onboarding
from inventory.catalogue import ListingRow, put_listings
from inventory.errors import BadInput, UnknownSku, WrongState
from inventory.matching import Match, counts
from inventory.models import Channel, InboundEvent, Listing, SeenListing, Sku, StockLevel
from inventory.vocabulary import Danger, ListingSeen
from tests.conftest import HandClock
from tests.factories import NOON, order_seen
from tests.onboarding.conftest import Connect
from tests.onboarding.fake_shop import FakeShop
from workers import onboarding as asking
from workers.runtime import Runtime

DANGER = Danger(code="unlimited_stock", detail="sells at zero")


def seen(channel_sku: str, *codes: str, by_channel: bool = False) -> ListingSeen:
    """A listing that shows three."""
    return ListingSeen(
        channel_sku=channel_sku,
        codes=codes,
        title="マグ",
        quantity=3,
        fulfilled_by_channel=by_channel,
        dangers=(DANGER,) if channel_sku == "R-1" else (),
    )


async def discovered(runtime: Runtime, channel: Channel) -> list[tuple[int, int | None]]:
    """Read all listings; the progress that was told."""
    told: list[tuple[int, int | None]] = []
    await asking.discover(runtime, channel.id, lambda *each: told.append(each))
    return told


async def refs(runtime: Runtime, table: type[SeenListing | Listing]) -> dict[str, bool]:
    """The channel SKUs in a table, and whether the channel ships them."""
    async with runtime.database.sessions() as session:
        rows = await session.execute(select(table.channel_sku, table.fulfilled_by_channel))
        return {row[0]: row[1] for row in rows}


async def test_all_pages_are_read_with_progress_and_waits(
    runtime: Runtime, shop: FakeShop, connect: Connect, clock: HandClock
) -> None:
    channel = await connect()
    shop.listings = [seen(f"R-{number}") for number in range(1, 6)]
    shop.errors = [Throttled("wait", seconds=0.1)]

    assert await discovered(runtime, channel) == [(2, 5), (4, 5), (5, 5)]

    assert set(await refs(runtime, SeenListing)) == {f"R-{number}" for number in range(1, 6)}
    async with runtime.database.sessions() as session:
        [danger] = await onboarding.listing_dangers(session, channel.id, most=9)
        assert (danger.code, danger.channel_sku) == ("unlimited_stock", "R-1")
    # What is not there any more is forgotten, at the end of a whole reading only.
    clock.moment += timedelta(hours=1)
    shop.listings = shop.listings[1:]
    shop.errors = [Rejected("not now")]
    with pytest.raises(Rejected):
        await discovered(runtime, channel)
    assert len(await refs(runtime, SeenListing)) == 5
    await discovered(runtime, channel)
    assert set(await refs(runtime, SeenListing)) == {f"R-{number}" for number in range(2, 6)}


async def test_names_that_nobody_could_use_are_left_out(
    runtime: Runtime, shop: FakeShop, connect: Connect
) -> None:
    channel = await connect()
    shop.page_size = 9
    nul = ListingSeen(channel_sku="R-2", codes=("A\x00B",), title="\x00", quantity=2**40)
    shop.listings = [seen(""), seen("x" * 201), seen("R-3", "A"), seen("R-3", "B"), nul]

    await discovered(runtime, channel)

    async with runtime.database.sessions() as session:
        rows = await session.scalars(select(SeenListing).order_by(SeenListing.channel_sku))
        assert [(row.channel_sku, row.codes, row.quantity) for row in rows] == [
            ("R-2", ["AB"], 2**31 - 1),
            ("R-3", ["B"], 3),
        ]


async def test_matching_is_a_preview_until_it_is_applied(
    runtime: Runtime, shop: FakeShop, connect: Connect
) -> None:
    channel = await connect(skus=("MUG", "PEN", "TEE", "CAP"))
    shop.listings = [
        seen("R-MUG", "MUG"),
        seen("R-PEN", "MUG", "PEN"),
        seen("R-TEE-1", "tee"),
        seen("R-TEE-2", "TEE"),
        seen("R-CAP", "CAP", by_channel=True),
        seen("R-WHAT", "none"),
    ]
    async with runtime.database.sessions() as session:
        with pytest.raises(WrongState, match="discovered"):
            await matches.preview(session, channel.id)
    await discovered(runtime, channel)

    async with runtime.database.sessions() as session:
        rows = await matches.preview(session, channel.id)
    assert counts(rows) == {
        "mapped": 0,
        "matched": 2,
        "unmatched": 1,
        "ambiguous": 1,
        "duplicate": 2,
    }
    assert await refs(runtime, Listing) == {}

    async with runtime.database.transaction() as session:
        done = await matches.apply(
            session, channel.id, duplicates=False, picks={"R-PEN": "PEN"}, by="mori", now=NOON
        )
    assert (done.created, done.changed, done.events) == (3, 0, 0)
    assert await refs(runtime, Listing) == {"R-MUG": False, "R-PEN": False, "R-CAP": True}
    async with runtime.database.transaction() as session:
        done = await matches.apply(
            session, channel.id, duplicates=True, picks={}, by="mori", now=NOON
        )
        assert done.created == 2
        rows = await matches.preview(session, channel.id)
        assert {row.state for row in rows} == {Match.MAPPED, Match.UNMATCHED}


async def test_a_pick_keeps_the_rules_that_the_listing_has(
    runtime: Runtime, shop: FakeShop, connect: Connect
) -> None:
    channel = await connect(skus=("MUG", "PEN"))
    shop.listings = [seen("R-MUG", "MUG")]
    await discovered(runtime, channel)
    async with runtime.database.transaction() as session:
        row = ListingRow(channel_sku="R-MUG", sku="PEN", quantity_max=4, closed=True)
        await put_listings(session, channel.id, [row], by="mori", now=NOON)

    async with runtime.database.transaction() as session:
        done = await matches.apply(
            session, channel.id, duplicates=False, picks={"R-MUG": "MUG"}, by="mori", now=NOON
        )

    assert (done.created, done.changed) == (0, 1)
    async with runtime.database.sessions() as session:
        row_ = (
            await session.execute(
                select(Sku.code, Listing.quantity_max, Listing.closed).join(
                    Listing, Listing.sku_id == Sku.id
                )
            )
        ).one()
    assert row_ == ("MUG", 4, True)


@pytest.mark.parametrize(
    ("picks", "error"), [({"R-NO": "MUG"}, BadInput), ({"R-MUG": "NO"}, UnknownSku)]
)
async def test_a_wrong_pick_changes_nothing(
    runtime: Runtime,
    shop: FakeShop,
    connect: Connect,
    picks: dict[str, str],
    error: type[Exception],
) -> None:
    channel = await connect(skus=("MUG", "PEN"))
    shop.listings = [seen("R-MUG", "MUG"), seen("R-PEN", "PEN")]
    await discovered(runtime, channel)

    with pytest.raises(error):
        async with runtime.database.transaction() as session:
            await matches.apply(
                session, channel.id, duplicates=False, picks=picks, by="mori", now=NOON
            )

    assert await refs(runtime, Listing) == {}


async def test_what_was_sold_before_it_was_mapped_is_booked_then(
    runtime: Runtime, shop: FakeShop, connect: Connect
) -> None:
    channel = await connect(skus=("MUG",))
    await runtime.inbox.receive_orders(channel.id, [order_seen()])
    await runtime.inbox.handle()
    shop.listings = [seen("R-MUG", "MUG")]
    await discovered(runtime, channel)
    async with runtime.database.sessions() as session:
        [event] = await session.scalars(select(InboundEvent))
        assert (event.state, event.code) == ("parked", "unknown_listing")

    async with runtime.database.transaction() as session:
        done = await matches.apply(
            session, channel.id, duplicates=False, picks={}, by="mori", now=NOON
        )
    assert done.events == 1
    await runtime.inbox.handle()

    async with runtime.database.sessions() as session:
        [level] = await session.scalars(select(StockLevel))
        assert level.reserved == 2
