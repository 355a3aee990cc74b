"""What a listing of a kit shows: as many whole kits as the scarcest part makes."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from inventory import catalogue
from inventory.models import Listing, Sku, StaleSku
from tests.ledger.told import shortages
from tests.publishing.arcade import Arcade
from tests.recipes import put_recipe


@pytest.fixture
async def gifts(arcade: Arcade) -> Arcade:
    """SET is two MUG and one POT, BOX is one SET and a RIBBON; all listed on rmart."""
    await arcade.skus(MUG=0, POT=0, RIBBON=0, SET=0, BOX=0)
    await put_recipe(arcade.database, "SET", {"MUG": 2, "POT": 1})
    await put_recipe(arcade.database, "BOX", {"SET": 1, "RIBBON": 1})
    await arcade.shop("rmart", "MUG", "SET", "BOX")
    for sku, units in (("MUG", 9), ("POT", 6), ("RIBBON", 20)):
        await arcade.receive(sku, units)
    assert await arcade.wanted() == {"rmart/MUG": 9, "rmart/SET": 4, "rmart/BOX": 4}
    return arcade


async def test_a_sale_of_a_part_lowers_every_kit_that_holds_it(gifts: Arcade) -> None:
    await gifts.sell("rmart/MUG", 2, "o-1")
    assert await gifts.wanted() == {"rmart/MUG": 7, "rmart/SET": 3, "rmart/BOX": 3}


async def test_a_sale_of_a_kit_lowers_its_parts_and_the_kits_around_it(gifts: Arcade) -> None:
    await gifts.sell("rmart/BOX", 3, "o-1")
    assert await gifts.wanted() == {"rmart/MUG": 3, "rmart/SET": 1, "rmart/BOX": 1}


async def test_the_kits_of_a_stale_part_are_among_the_skus_worked_out_anew(gifts: Arcade) -> None:
    await gifts.receive("RIBBON", 1)
    refreshed = await gifts.refresh()
    async with gifts.database.sessions() as session:
        codes = await session.scalars(select(Sku.code).where(Sku.id.in_(refreshed)))
        assert sorted(codes) == ["BOX", "RIBBON"]
        assert list(await session.scalars(select(StaleSku))) == []


async def test_a_part_that_is_short_takes_its_kits_to_zero(gifts: Arcade) -> None:
    await gifts.sell("rmart/MUG", 10, "o-1")
    assert await gifts.wanted() == {"rmart/MUG": 0, "rmart/SET": 0, "rmart/BOX": 0}
    assert await shortages(gifts.database) == {"MUG": ("open", 1, 1)}
    assert await gifts.why("rmart/BOX") == (
        "0, as -1 kits (-1 MUG can be promised, 2 in each) − 0 safety stock = -1"
    )


async def test_safety_stock_of_the_part_comes_first_and_that_of_the_kit_counts_kits(
    gifts: Arcade,
) -> None:
    now = gifts.clock.now()
    for sku, units in (("MUG", 2), ("SET", 1)):
        async with gifts.database.transaction() as session:
            change = catalogue.SkuChange(safety_stock=units)
            await catalogue.change_sku(session, sku, change, by="tester", now=now)
    # Seven mugs may be promised, for three sets; one of them is held back, but not of the boxes.
    assert await gifts.wanted() == {"rmart/MUG": 7, "rmart/SET": 2, "rmart/BOX": 3}
    assert await gifts.why("rmart/SET") == (
        "2 = 3 kits (7 MUG can be promised, 2 in each) − 1 safety stock"
    )


async def test_percent_of_a_part_is_held_back_as_the_ledger_does(gifts: Arcade) -> None:
    async with gifts.database.transaction() as session:
        await session.execute(update(Sku).where(Sku.code == "POT").values(safety_percent=45))
        pot = await session.scalar(select(Sku.id).where(Sku.code == "POT"))
        assert pot is not None
        await catalogue.mark_stale(session, [pot], gifts.clock.now())
    # 45 % of six pots is 2.7, so three are held back and three are left.
    assert (await gifts.wanted())["rmart/SET"] == 3


async def test_cap_and_floor_count_kits(gifts: Arcade) -> None:
    async with gifts.database.transaction() as session:
        values = {"quantity_max": 3}
        await session.execute(update(Listing).where(Listing.channel_sku == "SET").values(values))
        values = {"quantity_floor": 4}
        await session.execute(update(Listing).where(Listing.channel_sku == "BOX").values(values))
    await gifts.receive("POT", 1)
    assert await gifts.wanted() == {"rmart/MUG": 9, "rmart/SET": 3, "rmart/BOX": 0}


async def test_a_changed_recipe_changes_the_numbers(gifts: Arcade) -> None:
    await put_recipe(gifts.database, "SET", {"MUG": 1, "POT": 1})
    assert await gifts.wanted() == {"rmart/MUG": 9, "rmart/SET": 6, "rmart/BOX": 6}
    await put_recipe(gifts.database, "SET", {"POT": 3})
    assert await gifts.wanted() == {"rmart/MUG": 9, "rmart/SET": 2, "rmart/BOX": 2}


async def test_the_ledger_grants_what_the_listing_shows(gifts: Arcade) -> None:
    await gifts.sell("rmart/BOX", 4, "o-1")
    assert await gifts.wanted() == {"rmart/MUG": 1, "rmart/SET": 0, "rmart/BOX": 0}
    assert await shortages(gifts.database) == {}
