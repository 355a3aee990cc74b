"""Orders whose listing changes, and shipments that come when nothing can be shipped."""

from __future__ import annotations

from datetime import timedelta

from inventory.db import Database
from inventory.facts import LineUnits, OrderObserved, Status
from inventory.ledger import Ledger
from inventory.models import Channel, Listing, Sku
from tests.conftest import Save
from tests.factories import (
    NOON,
    ChannelFactory,
    ListingFactory,
    SkuFactory,
    line,
    order_seen,
)
from tests.ledger.told import cancel, levels, received, sale, ship


async def test_units_go_back_to_the_sku_they_came_from(
    database: Database, ledger: Ledger, mug: str, save: Save
) -> None:
    """The listing is moved to another SKU while an order of it is open."""
    channel: Channel = ChannelFactory.build()
    other: Sku = SkuFactory.build(code="CUP")
    await save(channel, other)
    listing: Listing = ListingFactory.build(channel_id=channel.id, sku_id=other.id, channel_sku="X")
    await save(listing)
    await ledger.apply([received("in-2", 8, sku="CUP")])

    async def see(sku: str, second: int, quantity: int = 3, *, cancelled: bool = False) -> None:
        order = order_seen(
            lines=(line("X", quantity),),
            hint=str(second),
            observed_at=NOON + timedelta(seconds=second),
            cancelled=cancelled,
        )
        found = {"X": (listing.id, sku)}
        await ledger.apply([OrderObserved(channel_id=channel.id, order=order, listings=found)])

    await see("MUG", 1)
    await see("CUP", 2)
    assert await levels(database) == {("MUG", "main"): (8, 3), ("CUP", "main"): (8, 0)}
    await see("CUP", 3, 2)
    assert await levels(database) == {("MUG", "main"): (8, 2), ("CUP", "main"): (8, 0)}
    await see("CUP", 4, 2, cancelled=True)
    assert await levels(database) == {("MUG", "main"): (8, 0), ("CUP", "main"): (8, 0)}
    assert mug == "MUG"


async def test_a_shipment_of_everything_comes_before_its_sale(
    database: Database, ledger: Ledger, mug: str
) -> None:
    await ledger.apply([ship("o-1")])
    await ledger.apply([sale("o-1", 3)])
    assert await levels(database) == {(mug, "main"): (5, 0)}


async def test_a_shipment_of_everything_that_is_cancelled_ships_nothing(
    database: Database, ledger: Ledger, mug: str
) -> None:
    await ledger.apply([sale("o-1", 3), cancel("o-1"), ship("o-1")])
    assert await levels(database) == {(mug, "main"): (8, 0)}
    await ledger.apply([cancel("o-2", ref="c-2")])
    await ledger.apply([ship("o-2", ref="s-2")])
    await ledger.apply([sale("o-2", 3)])
    assert await levels(database) == {(mug, "main"): (8, 0)}


async def test_a_shipment_of_what_a_cancelled_part_left(
    database: Database, ledger: Ledger, mug: str
) -> None:
    unit = LineUnits(line_ref="1", quantity=1)
    await ledger.apply([sale("o-1", 3), cancel("o-1", unit), ship("o-1")])
    assert await levels(database) == {(mug, "main"): (6, 0)}


async def test_an_order_that_was_over_before_we_saw_it_has_its_listings_looked_at(
    database: Database, ledger: Ledger, mug: str, save: Save
) -> None:
    """Its channel's number fell when it was placed, although no unit of ours has moved."""
    pool = await database.pool()
    sku_id = await pool.fetchval("SELECT id FROM sku WHERE code = $1", mug)
    channel: Channel = ChannelFactory.build()
    await save(channel)
    listing: Listing = ListingFactory.build(channel_id=channel.id, sku_id=sku_id, channel_sku="X")
    await save(listing)
    await pool.execute("DELETE FROM stale_sku")
    order = order_seen(lines=(line("X", cancelled=2),), cancelled=True)
    found = {"X": (listing.id, mug)}
    seen = OrderObserved(channel_id=channel.id, order=order, listings=found)
    [outcome] = await ledger.apply([seen])
    assert outcome.status is Status.RECORDED
    assert await levels(database) == {(mug, "main"): (8, 0)}
    assert await pool.fetchval("SELECT count(*) FROM stale_sku") == 1
