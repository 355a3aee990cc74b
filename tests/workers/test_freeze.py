"""The freeze switch: publishing stops, sales are recorded all the same."""

from __future__ import annotations

from inventory import connections
from tests.workers.night import BY, Night

KINDS = ("yahoo", "amazon", "shopify")


async def freeze(night: Night, kind: str | None, *, on: bool = True) -> None:
    """A person turns the switch of a channel, or the one of the house."""
    now = night.runtime.clock.now()
    async with night.runtime.database.transaction() as session:
        if kind is None:
            await connections.set_all_frozen(session, frozen=on, by=BY, now=now)
        else:
            await connections.set_frozen(session, kind, frozen=on, by=BY, now=now)


async def test_a_frozen_channel_keeps_its_number_and_its_sales_count(night: Night) -> None:
    await night.open(*KINDS, units=10)
    await freeze(night, "amazon")
    sold = night.buy("amazon", 2)
    await night.pulled("amazon", sold)
    ref = night.buy("shopify", 1)
    await night.pulled("shopify", ref)

    await night.rounds(2)

    assert await night.stock() == (10, 3)
    assert night.shown() == {"yahoo": 7, "amazon": 8, "shopify": 7}
    assert night.writes("amazon") == []
    assert await night.alerts() == set()

    await freeze(night, "amazon", on=False)
    await night.agree(7)


async def test_a_frozen_house_publishes_nothing_not_even_a_zero(night: Night) -> None:
    await night.open(*KINDS, units=10)
    await freeze(night, None)
    ref = night.buy("shopify", 10)
    await night.pulled("shopify", ref)

    await night.rounds(2)

    assert await night.stock() == (10, 10)
    assert night.shown() == {"yahoo": 10, "amazon": 10, "shopify": 0}
    assert await night.alerts() == set()

    await freeze(night, None, on=False)
    await night.rounds(1)

    assert night.shown() == dict.fromkeys(KINDS, 0)
