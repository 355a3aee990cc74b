"""A guarded decrement instead of a number kept lower by the margin."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from inventory import publishing
from inventory.availability import Lane, Shown, Target, taken_back, target_absolute
from inventory.models import Listing
from inventory.publishing import Claim
from inventory.vocabulary import PushOutcome, PushStatus
from tests.conftest import Save
from tests.publishing.shop import Shop


@pytest.mark.parametrize(
    ("wanted", "shown", "margin", "change"),
    [
        pytest.param(9, Shown(low=10, high=10), 3, -1, id="the margin would keep it lower"),
        pytest.param(1, Shown(low=10, high=10), 12, -9, id="the margin would close it"),
        pytest.param(7, Shown(low=10, high=10), 2, None, id="there is room"),
        pytest.param(0, Shown(low=10, high=10), 2, None, id="a zero is a zero"),
        pytest.param(9, Shown(low=9, high=10), 3, None, id="nobody knows what stands there"),
        pytest.param(12, Shown(low=10, high=10), 3, None, id="a raise"),
    ],
)
def test_only_what_the_margin_keeps_lower_is_taken_back(
    wanted: int, shown: Shown, margin: int, change: int | None
) -> None:
    target = target_absolute(wanted, shown, lower_margin=margin, raise_margin=margin)
    found = taken_back(target, shown)
    expected = None
    if change is not None:
        expected = Target(wanted=wanted, quantity=wanted, lane=Lane.LOWER, change=change)
    assert found == expected


async def claimed(shop: Shop, *, zero: bool = False) -> Claim | None:
    async with shop.database.transaction() as session:
        return await publishing.claim(
            session,
            shop.x.channel_id,
            zero=zero,
            most=100,
            margins=shop.margins,
            now=shop.clock.now(),
            takes_back=True,
        )


async def selling(shop: Shop, save: Save) -> Claim:
    """Ten were shown; one was sold here and seen, one elsewhere, three seconds are not seen."""
    await shop.open(save)
    shop.later(1)
    await shop.sell(shop.x, 1, "o-1")
    shop.later(2)
    await shop.pulled()
    shop.later(3)
    await shop.sell(shop.y, 1, "o-2")
    await shop.refresh()
    claim = await claimed(shop)
    assert claim is not None
    assert claim.takes_back
    return claim


async def known(shop: Shop) -> Listing:
    async with shop.database.sessions() as session:
        return await session.get_one(Listing, shop.x.id)


async def ended(shop: Shop, claim: Claim, status: PushStatus, code: str = "") -> None:
    [push] = claim.pushes
    outcome = PushOutcome(channel_sku=push.channel_sku, status=status, code=code)
    async with shop.database.transaction() as session:
        await publishing.finish(session, claim.push_id, [outcome], now=shop.later(0.1))


async def test_where_there_is_room_the_number_is_written(shop: Shop, save: Save) -> None:
    await shop.open(save)
    await shop.sell(shop.y, 1, "o-0")
    await shop.refresh()
    without = await claimed(shop)
    assert without is not None
    assert not without.takes_back  # there is room: an absolute number does it


async def test_a_lone_number_goes_as_a_decrement(shop: Shop, save: Save) -> None:
    claim = await selling(shop, save)
    [push] = claim.pushes
    assert (push.quantity, push.change) == (8, -1)
    before = await known(shop)
    await ended(shop, claim, PushStatus.ACCEPTED)
    after = await known(shop)
    assert (after.quantity_known, after.known_at) == (9, before.known_at)
    assert after.revision_published == after.revision_wanted


async def test_fewer_left_than_thought_is_read_back_at_once(shop: Shop, save: Save) -> None:
    claim = await selling(shop, save)
    await ended(shop, claim, PushStatus.REFUSED, "sold")
    assert (await known(shop)).quantity_known is None
    assert await shop.read(3) == ["X"]  # without any pause
    assert (await known(shop)).quantity_known == 3


async def test_a_decrement_without_an_answer_is_read_back(shop: Shop, save: Save) -> None:
    claim = await selling(shop, save)
    await ended(shop, claim, PushStatus.UNKNOWN)
    assert await shop.stale()
    assert await claimed(shop) is None
    shop.later(5)
    assert await shop.read(8) == ["X"]
    assert not await shop.stale()


async def test_after_a_refusal_of_another_kind_the_number_is_written(
    shop: Shop, save: Save
) -> None:
    claim = await selling(shop, save)
    await ended(shop, claim, PushStatus.REFUSED, "IE0500")
    shop.later(3)
    again = await claimed(shop)
    assert again is not None
    assert not again.takes_back


async def test_two_numbers_at_once_go_as_numbers(shop: Shop, save: Save) -> None:
    await shop.open(save)
    shop.later(1)
    await shop.sell(shop.x, 1, "o-1")
    shop.later(2)
    await shop.pulled()
    other = Listing(
        channel_id=shop.x.channel_id,
        sku_id=shop.x.sku_id,
        channel_sku="Z",
        quantity_known=10,
        known_from=shop.clock.now(),
        known_at=shop.clock.now(),
    )
    await save(other)
    shop.later(3)
    await shop.sell(shop.y, 1, "o-2")
    await shop.refresh()
    claim = await claimed(shop)
    assert claim is not None
    assert len(claim.pushes) == 2
    assert not claim.takes_back
    async with shop.database.sessions() as session:
        assert (await session.scalars(select(Listing.push_id))).all()
