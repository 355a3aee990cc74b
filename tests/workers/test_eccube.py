"""A shop whose API cannot cancel: its orders are given up by a person, asked by the desk."""

from __future__ import annotations

from sqlalchemy import select

from inventory.models import Alert, Listing, Oversell, OversellStep
from tests.workers.night import Night, channel_sku
from workers import desk

KIND = "eccube"


async def case_closed(night: Night) -> bool:
    """Whether the one case is closed."""
    [case] = await night.rows(select(Oversell))
    return bool(case.state == "closed")


async def asked(night: Night) -> list[str]:
    """The open alerts that ask a person to end an order."""
    query = select(Alert).where(Alert.kind == "cancellation_by_hand", Alert.state == "open")
    return [alert.subject for alert in await night.rows(query)]


async def test_a_sale_lowers_the_shop_and_its_own_sale_lowers_the_others(night: Night) -> None:
    await night.open(KIND, "rakuten", units=10)

    ref = night.buy(KIND, 3)
    await night.pulled(KIND, ref)
    await night.round()
    assert night.shown() == {KIND: 7, "rakuten": 7}
    other = night.buy("rakuten", 2)
    await night.pulled("rakuten", other)

    await night.agree(5)
    assert await night.stock() == (10, 5)


async def test_an_oversold_order_is_ended_by_a_person_in_the_shops_admin(night: Night) -> None:
    await night.open(KIND, units=10)
    old = night.buy(KIND, 3)
    await night.pulled(KIND, old)
    await night.full_second()
    new = night.buy(KIND, 3)
    await night.pulled(KIND, new)
    await night.damage(7)
    await night.round()
    assert night.shown() == {KIND: 0}

    await desk.work(night.runtime)
    cancellation = await night.cancellation(KIND, new)
    assert cancellation is not None
    assert (cancellation.state, cancellation.reference) == ("submitted", "by hand")
    assert await asked(night) == [f"cancellation:{cancellation.id}"]
    for _ in range(3):
        await night.patience()
        await desk.work(night.runtime)
    assert len(await night.rows(select(OversellStep).where(OversellStep.step == "submitted"))) == 0
    assert not await case_closed(night)

    night.sandbox.act(KIND, new, "staff-cancel")
    await night.desk_until(lambda: case_closed(night))
    await night.rounds(3)

    assert await asked(night) == []
    done = await night.cancellation(KIND, new)
    assert done is not None
    assert (done.state, done.attempts) == ("confirmed", 1)
    assert await night.stock() == (3, 3)
    # The shop has put the units back on sale by itself; they are not there.
    assert night.shown() == {KIND: 0}


async def to_read(night: Night) -> list[str]:
    """The listings that are to be read back."""
    return await night.rows(select(Listing.channel_sku).where(Listing.read_after.is_not(None)))


async def test_what_the_shop_puts_back_on_sale_by_itself_is_read_again(night: Night) -> None:
    await night.open(KIND, "rakuten", units=10, skus=("MUG", "TEE"))
    refs = {kind: night.buy(kind, 3) for kind in (KIND, "rakuten")}
    for kind, ref in refs.items():
        await night.pulled(kind, ref)
    await night.agree(4)
    assert await to_read(night) == []

    for kind, ref in refs.items():
        night.sandbox.act(kind, ref, "staff-cancel" if kind == KIND else "buyer-cancel")
        await night.pulled_until(kind, ref, lambda order: order.cancelled)

    # Neither the other article, nor the channel that leaves its number as it is.
    assert await to_read(night) == [channel_sku(KIND, "MUG")]
    assert ("read", night.ids[KIND]) in night.rings
    await night.agree(10)
