"""Channels fed by different locations, and a location that is taken out of sale."""

from __future__ import annotations

import pytest

from inventory.errors import WrongState
from inventory.locations import LocationChange, change_location
from tests.ledger.told import levels, shortages
from tests.publishing.arcade import Arcade
from tests.recipes import put_recipe


@pytest.fixture
async def houses(arcade: Arcade) -> Arcade:
    """Five mugs at main, four in the annex; main feeds rmart, the annex ymall, and both web."""
    await arcade.places("annex")
    await arcade.skus(MUG=0, POT=0, SET=0)
    await put_recipe(arcade.database, "SET", {"MUG": 2, "POT": 1})
    await arcade.shop("rmart", "MUG", "SET", locations=("main",))
    await arcade.shop("ymall", "MUG", "SET", locations=("annex",))
    await arcade.shop("web", "MUG", "SET")
    for sku, units, place in (
        ("MUG", 5, "main"),
        ("MUG", 4, "annex"),
        ("POT", 1, "main"),
        ("POT", 9, "annex"),
    ):
        await arcade.receive(sku, units, place)
    return arcade


async def sellable(arcade: Arcade, code: str, *, yes: bool) -> None:
    """Open a location for sale or take it out."""
    async with arcade.database.transaction() as session:
        change = LocationChange(sellable=yes)
        await change_location(session, code, change, by="tester", now=arcade.clock.now())


async def test_each_channel_shows_what_its_own_locations_hold(houses: Arcade) -> None:
    assert await houses.wanted() == {
        "rmart/MUG": 5,
        "rmart/SET": 1,
        "ymall/MUG": 4,
        "ymall/SET": 2,
        "web/MUG": 9,
        "web/SET": 4,
    }
    # Whole kits are counted over the pool: a mug from main may go with a pot from the annex.
    await houses.sell("web/SET", 4, "o-1")
    assert await levels(houses.database) == {
        ("MUG", "main"): (5, 5),
        ("MUG", "annex"): (4, 3),
        ("POT", "main"): (1, 1),
        ("POT", "annex"): (9, 3),
    }


async def test_a_sale_takes_from_its_own_channels_locations(houses: Arcade) -> None:
    await houses.sell("ymall/SET", 2, "o-1")
    wanted = await houses.wanted()
    assert (wanted["rmart/MUG"], wanted["ymall/MUG"], wanted["web/MUG"]) == (5, 0, 5)
    assert wanted["ymall/SET"] == 0


async def test_what_lies_damaged_or_under_way_is_not_offered(houses: Arcade) -> None:
    await houses.spoil("MUG", 3)
    await houses.carry("MUG", 2, "main", "damaged")
    wanted = await houses.wanted()
    assert (wanted["rmart/MUG"], wanted["web/MUG"]) == (3, 7)


async def test_a_location_taken_out_of_sale_is_offered_no_more(houses: Arcade) -> None:
    await houses.places("fair")
    await houses.receive("MUG", 6, "fair")
    assert (await houses.wanted())["web/MUG"] == 15
    await sellable(houses, "fair", yes=False)
    assert (await houses.wanted())["web/MUG"] == 9
    await sellable(houses, "fair", yes=True)
    assert (await houses.wanted())["web/MUG"] == 15


async def test_taking_out_what_covered_a_shortage_opens_it_again(arcade: Arcade) -> None:
    await arcade.places("annex")
    await arcade.skus(MUG=0)
    await arcade.shop("web", "MUG")
    await arcade.sell("web/MUG", 2, "o-1")
    await arcade.receive("MUG", 5, "annex")
    await arcade.refresh()
    assert await shortages(arcade.database) == {"MUG": ("open", 0, 2)}

    await sellable(arcade, "annex", yes=False)
    assert (await arcade.wanted())["web/MUG"] == 0
    assert await shortages(arcade.database) == {"MUG": ("open", 2, 2)}

    await sellable(arcade, "annex", yes=True)
    assert (await arcade.wanted())["web/MUG"] == 3
    assert await shortages(arcade.database) == {"MUG": ("open", 0, 2)}


async def test_a_location_that_is_needed_is_not_taken_out(houses: Arcade) -> None:
    await houses.places("fair")
    await houses.receive("POT", 20, "fair")
    await houses.sell("web/SET", 4, "o-1")
    await houses.receive("MUG", 4, "fair")
    await houses.sell("web/MUG", 3, "o-2")
    before = await levels(houses.database)
    for place, why in (
        ("annex", "feeds ymall"),
        ("fair", "units of MUG are reserved at fair"),
    ):
        with pytest.raises(WrongState, match=why):
            await sellable(houses, place, yes=False)
    for place in ("damaged", "in-transit"):
        with pytest.raises(WrongState, match="never sellable"):
            await sellable(houses, place, yes=True)
        await sellable(houses, place, yes=False)
    assert await levels(houses.database) == before


async def test_the_last_sellable_location_stays(arcade: Arcade) -> None:
    with pytest.raises(WrongState, match="last sellable"):
        await sellable(arcade, "main", yes=False)
