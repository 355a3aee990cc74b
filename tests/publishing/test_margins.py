"""Margins for what cannot be seen yet, and what does not wait for anything."""

from __future__ import annotations

from sqlalchemy import select

from inventory.listings import assess
from inventory.models import Listing, PushRow
from inventory.vocabulary import Party, PushStatus
from tests.conftest import Save
from tests.publishing.shop import Shop


async def unseen(shop: Shop) -> int:
    """The units that may have been sold at X unseen."""
    async with shop.database.transaction() as session:
        [found] = await assess(session, [shop.x.id], margins=shop.margins, now=shop.clock.now())
    return found.unseen


async def test_the_rate_of_unseen_sales_is_that_of_the_time_seen(shop: Shop, save: Save) -> None:
    """Sixty units a minute and two minutes blind: the blind minutes hide the rate as well."""
    await shop.open(save, kind="amazon", units=500)
    await shop.sell(shop.x, 60)
    shop.later(1)
    await shop.pulled()
    shop.later(120)
    assert await unseen(shop) >= 120
    await shop.pulled()
    assert await unseen(shop) == 0


async def test_a_raise_keeps_the_margin_of_the_watermark_after_a_recent_raise(
    shop: Shop, save: Save
) -> None:
    await shop.open(save, units=200)
    await shop.sell(shop.x, 60)
    await shop.receive(100)
    await shop.refresh()
    shop.later(1)
    await shop.pulled()
    shop.later(20)
    [(first, _)] = await shop.numbers()
    assert first <= 240 - 20
    # What was sold before the first raise is as unseen as before: a second may not give it back.
    shop.later(1)
    await shop.refresh()
    assert await shop.numbers() == []
    shop.later(60)
    await shop.pulled()
    await shop.refresh()
    shop.later(1)
    await shop.pulled()
    assert await shop.numbers() == [(240, None)]
    async with shop.database.sessions() as session:
        margins = list(await session.scalars(select(PushRow.unseen).order_by(PushRow.push_id)))
    assert margins[0] == 240 - first


async def test_a_relative_channel_is_lowered_at_once_by_what_is_surely_too_much(
    shop: Shop, save: Save
) -> None:
    await shop.open(save, kind="shopify", units=100)
    # The channel may have put this unit back, or not yet: 99 or 100 stand there.
    await shop.sell(shop.x, 1, "o-1", cancelled=True, cancelled_by=Party.BUYER)
    await shop.sell(shop.y, 5, "o-2")
    await shop.refresh()
    assert await shop.numbers() == [(95, -4)]
    shop.later(5)
    await shop.refresh()
    assert await shop.read(96) == ["X"]
    assert await shop.numbers() == [(95, -1)]
    assert not await shop.stale()


async def test_a_zero_does_not_wait_for_the_back_off_of_a_refused_number(
    shop: Shop, save: Save
) -> None:
    await shop.open(save)
    await shop.sell(shop.y, 3, "o-1")
    await shop.refresh()
    for _ in range(8):
        claim = await shop.claim()
        assert claim is not None
        await shop.ended(claim, PushStatus.REFUSED)
        async with shop.database.sessions() as session:
            refused = await session.get_one(Listing, shop.x.id)
        assert refused.not_before is not None
        assert await shop.claim() is None
        shop.clock.moment = refused.not_before
    shop.later(-200)  # the last back-off is far from over
    await shop.sell(shop.y, 7, "o-2")
    await shop.refresh()
    assert await shop.numbers(zero=True) == [(0, None)]


async def test_a_zero_is_sent_again_when_the_older_push_ends_while_it_is_under_way(
    shop: Shop, save: Save
) -> None:
    await shop.open(save)
    await shop.sell(shop.y, 3, "o-1")
    await shop.refresh()
    older = await shop.claim()
    shop.later(1)
    await shop.sell(shop.y, 7, "o-2")
    await shop.refresh()
    zero = await shop.claim(zero=True)
    assert older is not None
    assert zero is not None
    shop.later(1)
    await shop.ended(older)  # it may have landed after the zero
    await shop.ended(zero)
    assert await shop.stale()
    assert await shop.numbers(zero=True) == [(0, None)]
    shop.later(5)
    assert await shop.read(0) == ["X"]
    assert await shop.numbers(zero=True) == []
    assert not await shop.stale()
