"""One sale on a channel lowers every other channel, through the real adapters."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select

from inventory.models import Push
from tests.workers.night import KINDS, Night, channel_sku


@pytest.mark.parametrize("kind", KINDS)
async def test_a_sale_lowers_every_other_channel(night: Night, kind: str) -> None:
    await night.open(units=10)

    ref = night.buy(kind, 3)
    await night.pulled(kind, ref)
    await night.round()

    assert await night.stock() == (10, 3)
    assert night.shown() == dict.fromkeys(KINDS, 7)
    assert {each: night.writes(each) for each in KINDS} == {
        each: [] if each == kind else [(10, 7)] for each in KINDS
    }


async def test_the_last_units_leave_a_zero_everywhere(night: Night) -> None:
    await night.open("rakuten", "yahoo", "shopify", units=10)

    ref = night.buy("shopify", 10)
    await night.pulled("shopify", ref)
    await night.round()

    assert await night.stock() == (10, 10)
    assert night.shown() == {"rakuten": 0, "yahoo": 0, "shopify": 0}
    pushes = await night.rows(select(Push.lane).where(Push.channel_id != night.ids["shopify"]))
    assert set(pushes) == {"zero"}


async def test_sales_on_all_channels_at_once_add_up(night: Night) -> None:
    await night.open(units=10, skus=("MUG", "TEE"))
    refs = {
        kind: night.sandbox.buy(kind, {channel_sku(kind, "MUG"): 1, channel_sku(kind, "TEE"): 2})
        for kind in KINDS
    }

    await asyncio.gather(*(night.pulled(kind, ref) for kind, ref in refs.items()))
    await night.round()

    assert (await night.stock("MUG"), await night.stock("TEE")) == ((10, 4), (10, 8))
    await night.agree(6, "MUG")
    await night.agree(2, "TEE")
    assert await night.alerts() == set()
