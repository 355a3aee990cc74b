"""The end of a push looks again only at listings of which another number may be wanted."""

from __future__ import annotations

from sqlalchemy import update

from inventory import listings, publishing
from inventory.models import Listing
from inventory.publishing import Claim
from inventory.vocabulary import PushOutcome, PushStatus
from tests.conftest import Save
from tests.publishing.shop import Shop

STATE = ("lane", "quantity_wanted", "raise_since", "reassess_at", "revision_wanted")


async def claimed(shop: Shop) -> Claim:
    claim = await shop.claim()
    assert claim is not None
    return claim


async def ended(shop: Shop, claim: Claim) -> list[int]:
    accepted = [PushOutcome(channel_sku="X", status=PushStatus.ACCEPTED)]
    async with shop.database.transaction() as session:
        return await publishing.finish(session, claim.push_id, accepted, now=shop.later(0.1))


async def stands(shop: Shop) -> dict[str, object]:
    async with shop.database.sessions() as session:
        listing = await session.get_one(Listing, shop.x.id)
    return {name: getattr(listing, name) for name in STATE}


async def looked(shop: Shop) -> dict[str, object]:
    """How the listing stands when it has been assessed all the same."""
    async with shop.database.transaction() as session:
        now = shop.clock.now()
        await listings.look_again(session, [shop.x.id], margins=shop.margins, now=now)
    return await stands(shop)


async def test_where_the_wanted_number_stands_an_assessment_finds_nothing(
    shop: Shop, save: Save
) -> None:
    await shop.open(save)
    await shop.sell(shop.y, 4)
    await shop.refresh()
    shop.later(5)

    assert await ended(shop, await claimed(shop)) == []

    left = await stands(shop)
    assert (left["lane"], left["quantity_wanted"], left["reassess_at"]) == (None, 6, None)
    assert await looked(shop) == left


async def test_a_raise_that_landed_leaves_no_wish_behind(shop: Shop, save: Save) -> None:
    await shop.open(save)
    await shop.receive(5)
    await shop.refresh()
    shop.later(5)
    await shop.pulled()
    await shop.refresh()

    again = await ended(shop, await claimed(shop))

    left = await stands(shop)
    assert again or left["raise_since"] is None
    assert (await looked(shop))["raise_since"] is None


async def test_a_sale_elsewhere_while_the_number_is_on_its_way_is_looked_at(
    shop: Shop, save: Save
) -> None:
    await shop.open(save)
    await shop.sell(shop.y, 4, "o-1")
    await shop.refresh()
    claim = await claimed(shop)
    await shop.sell(shop.y, 1, "o-2")
    await shop.refresh()

    assert await ended(shop, claim) == [shop.x.id]
    assert (await looked(shop))["lane"] == "lower"


async def test_an_own_sale_near_the_moment_of_sending_is_looked_at(shop: Shop, save: Save) -> None:
    await shop.open(save)
    await shop.sell(shop.y, 4, "o-1")
    await shop.refresh()
    claim = await claimed(shop)
    await shop.sell(shop.x, 1, "o-2")

    assert await ended(shop, claim) == [shop.x.id]


async def test_a_margin_that_was_kept_is_looked_at(shop: Shop, save: Save) -> None:
    await shop.open(save)
    await shop.sell(shop.y, 4, "o-1")
    await shop.refresh()
    claim = await claimed(shop)
    async with shop.database.transaction() as session:
        mine = update(Listing).where(Listing.id == shop.x.id)
        await session.execute(mine.values(reassess_at=shop.clock.now()))

    assert await ended(shop, claim) == [shop.x.id]
