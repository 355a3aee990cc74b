"""Selling ahead of supply: only where the seller says so, and only while the supply is expected."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from inventory.catalogue import ListingRow, ListingRules, change_listing, put_listings
from inventory.errors import BadInput
from inventory.facts import ReservationAsked, SaleLine, Status, StockReceived, SupplyEnded
from inventory.models import Channel, Listing
from tests.factories import NOON
from tests.ledger.told import shortages
from tests.publishing.arcade import Arcade
from tests.recipes import put_recipe


@pytest.fixture
async def lamps(arcade: Arcade) -> Arcade:
    """Two lamps; rmart may sell five ahead of supply, ymall none."""
    await arcade.skus(LAMP=0)
    await arcade.shop("rmart", "LAMP", preorder_units=5)
    await arcade.shop("ymall", "LAMP")
    await arcade.receive("LAMP", 2)
    return arcade


async def channel_id(arcade: Arcade, code: str) -> int:
    """The id of a channel."""
    async with arcade.database.sessions() as session:
        found = await session.scalar(select(Channel.id).where(Channel.code == code))
    assert found is not None
    return found


async def test_expected_supply_stays_outside_unless_the_listing_has_a_pot(lamps: Arcade) -> None:
    assert await lamps.wanted() == {"rmart/LAMP": 2, "ymall/LAMP": 2}
    await lamps.expect("po-1", "LAMP", 20)
    assert await lamps.wanted() == {"rmart/LAMP": 7, "ymall/LAMP": 2}
    assert await lamps.why("rmart/LAMP") == (
        "7 = 2 on hand − 0 reserved − 0 safety stock + 5 expected, of a pre-order pot of 5"
    )


async def test_the_pot_is_no_greater_than_what_is_still_to_come(lamps: Arcade) -> None:
    await lamps.expect("po-1", "LAMP", 3)
    assert (await lamps.wanted())["rmart/LAMP"] == 5
    await lamps.tell(
        StockReceived(sku="LAMP", quantity=2, supply_ref="po-1", **lamps.named()),
    )
    # Two have come: they are available now, and one is still expected.
    assert await lamps.wanted() == {"rmart/LAMP": 5, "ymall/LAMP": 4}


async def test_units_sold_ahead_are_no_shortage_until_the_supply_ends(lamps: Arcade) -> None:
    await lamps.expect("po-1", "LAMP", 4)
    await lamps.sell("rmart/LAMP", 5, "o-1")
    assert await lamps.wanted() == {"rmart/LAMP": 1, "ymall/LAMP": 0}
    assert await shortages(lamps.database) == {}

    await lamps.tell(SupplyEnded(supply_ref="po-1", **lamps.named()))
    assert await lamps.wanted() == {"rmart/LAMP": 0, "ymall/LAMP": 0}
    assert await shortages(lamps.database) == {"LAMP": ("open", 3, 3)}


async def test_a_hold_goes_as_far_as_the_pot_of_its_listing(lamps: Arcade) -> None:
    await lamps.expect("po-1", "LAMP", 20)
    answers = []
    for shop, units in (("ymall", 3), ("rmart", 8), ("rmart", 7)):
        lines = (SaleLine(line_ref="1", channel_sku="LAMP", quantity=units),)
        asked = ReservationAsked(
            channel_id=await channel_id(lamps, shop),
            fact_ref=f"{shop}-{units}",
            occurred_at=NOON,
            lines=lines,
        )
        answers += await lamps.ledger.apply([asked])
    refused, granted = Status.REFUSED, Status.GRANTED
    assert [answer.status for answer in answers] == [refused, refused, granted]
    assert await shortages(lamps.database) == {}


async def test_a_smaller_pot_opens_the_shortage_that_it_covered(lamps: Arcade) -> None:
    await lamps.expect("po-1", "LAMP", 20)
    await lamps.sell("rmart/LAMP", 6, "o-1")
    await lamps.refresh()
    assert await shortages(lamps.database) == {}

    await set_pot(lamps, 1)
    assert (await lamps.wanted())["rmart/LAMP"] == 0
    assert await shortages(lamps.database) == {"LAMP": ("open", 3, 3)}

    await set_pot(lamps, 4)
    await lamps.refresh()
    assert await shortages(lamps.database) == {"LAMP": ("open", 0, 3)}


async def set_pot(arcade: Arcade, units: int) -> None:
    """Change the pot of rmart's listing."""
    shop = await channel_id(arcade, "rmart")
    rules = ListingRules(preorder_units=units)
    async with arcade.database.transaction() as session:
        listing = select(Listing.id).where(Listing.channel_id == shop)
        listing_id = await session.scalar(listing)
        assert listing_id is not None
        now = arcade.clock.now()
        await change_listing(session, shop, listing_id, rules, by="tester", now=now)


async def test_a_kit_is_never_sold_ahead(lamps: Arcade) -> None:
    await lamps.skus(SET=0)
    await put_recipe(lamps.database, "SET", {"LAMP": 1})
    await lamps.expect("po-1", "LAMP", 20)
    shop = await channel_id(lamps, "rmart")
    row = ListingRow(channel_sku="SET", sku="SET", preorder_units=1)
    async with lamps.database.transaction() as session:
        with pytest.raises(BadInput, match="sold ahead"):
            await put_listings(session, shop, [row], by="tester", now=NOON)
    plain = ListingRow(channel_sku="SET", sku="SET")
    async with lamps.database.transaction() as session:
        await put_listings(session, shop, [plain], by="tester", now=NOON)
    assert (await lamps.wanted())["rmart/SET"] == 2

    rules = ListingRules(preorder_units=1)
    async with lamps.database.transaction() as session:
        query = select(Listing.id).where(Listing.channel_sku == "SET")
        listing_id = await session.scalar(query)
        assert listing_id is not None
        with pytest.raises(BadInput, match="sold ahead"):
            await change_listing(session, shop, listing_id, rules, by="tester", now=NOON)
