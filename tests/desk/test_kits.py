"""A kit is sold too often: the part is short, and whoever took it may be given up."""

from __future__ import annotations

from sqlalchemy import select, update

from inventory.models import Listing, OrderPart, Sku
from tests.conftest import Save
from tests.desk.conftest import Floor
from tests.factories import ListingFactory, SkuFactory
from tests.recipes import put_recipe


async def stock(floor: Floor) -> dict[str, tuple[int, int]]:
    """SKU → (on hand, reserved)."""
    pool = await floor.database.pool()
    rows = await pool.fetch(
        "SELECT s.code, v.on_hand, v.reserved FROM stock_level v JOIN sku s ON s.id = v.sku_id"
    )
    return {row["code"]: (row["on_hand"], row["reserved"]) for row in rows}


async def kits(floor: Floor, save: Save) -> None:
    """SET is two MUG and one POT, listed at every mall as SET; three mugs, five pots."""
    pot, tea_set = SkuFactory.build(code="POT"), SkuFactory.build(code="SET")
    await save(pot, tea_set)
    await put_recipe(floor.database, "SET", {"MUG": 2, "POT": 1})
    for channel_id in floor.ids.values():
        await save(
            ListingFactory.build(channel_id=channel_id, sku_id=tea_set.id, channel_sku="SET")
        )
    await floor.receive("MUG", 3)
    await floor.receive("POT", 5)


async def test_the_newest_order_that_took_the_part_is_given_up_whole(
    floor: Floor, save: Save
) -> None:
    await kits(floor, save)
    await floor.sell("shopify", "o-1", {"MUG": 1})
    await floor.sell("yahoo", "o-2", {"SET": 1})
    await floor.sell("rakuten", "o-3", {"SET": 1})
    async with floor.database.transaction() as session:
        await session.execute(update(Listing).values(quantity_wanted=0))
    assert await stock(floor) == {"MUG": (3, 5), "POT": (5, 2)}

    await floor.work()
    chosen = await floor.step("chosen")
    assert (chosen["order_ref"], chosen["units"]) == ("o-3", 2)
    zero = await floor.step("listings_to_zero")
    assert sorted({row["channel_sku"] for row in zero["listings"]}) == ["MUG", "SET"]
    floor.later(3)
    await floor.work()

    assert await floor.states() == {"o-3": "confirmed"}
    assert await stock(floor) == {"MUG": (3, 3), "POT": (5, 1)}
    assert (await floor.case()).state == "closed"
    parts = await floor.rows(
        select(OrderPart.reserved).join(Sku, Sku.id == OrderPart.sku_id).where(Sku.code == "POT")
    )
    assert sorted(parts) == [0, 1]


async def test_a_kit_listing_above_zero_keeps_the_step_open(floor: Floor, save: Save) -> None:
    await kits(floor, save)
    await floor.sell("rakuten", "o-1", {"SET": 2})
    async with floor.database.transaction() as session:
        await session.execute(update(Listing).values(quantity_wanted=0))
        above = update(Listing).where(Listing.channel_sku == "SET", Listing.channel_id == 1)
        await session.execute(above.values(quantity_wanted=1))

    await floor.work()
    assert "listings_to_zero" not in await floor.steps()
    async with floor.database.transaction() as session:
        await session.execute(above.values(quantity_wanted=0))
    await floor.work()
    assert "listings_to_zero" in await floor.steps()
