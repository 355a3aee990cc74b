"""Rules that people change: the worker that works off the stale marks has shortages measured."""

from __future__ import annotations

from typing import Any

import pytest

from inventory.catalogue import ListingRules, change_listing
from inventory.facts import SaleLine, SaleReceived, StockReceived, SupplyExpected
from inventory.models import Listing
from tests.conftest import Save
from tests.factories import NOON, ChannelFactory, ListingFactory, SkuFactory
from tests.ledger.told import shortages
from workers import push
from workers.runtime import Runtime


@pytest.fixture
async def listing(runtime: Runtime, save: Save) -> Listing:
    """Two lamps, twenty expected, six sold by a listing with a pot of five."""
    channel, lamp = ChannelFactory.build(), SkuFactory.build(code="LAMP")
    await save(channel, lamp)
    listing = ListingFactory.build(
        channel_id=channel.id, sku_id=lamp.id, channel_sku="R-LAMP", preorder_units=5
    )
    await save(listing)
    lines = (SaleLine(line_ref="1", channel_sku="R-LAMP", quantity=6),)
    named: dict[str, Any] = {"channel_id": channel.id, "occurred_at": NOON}
    await runtime.ledger.apply(
        [
            StockReceived(fact_ref="in-1", sku="LAMP", quantity=2, **named),
            SupplyExpected(
                fact_ref="po-1",
                supply_ref="po-1",
                sku="LAMP",
                quantity=20,
                due_on=NOON.date(),
                **named,
            ),
            SaleReceived(fact_ref="o-1", order_ref="o-1", lines=lines, **named),
        ]
    )
    await push.refresh(runtime)
    return listing


async def set_pot(runtime: Runtime, listing: Listing, units: int) -> None:
    """Change the pot, and let the worker work off the marks."""
    rules = ListingRules(preorder_units=units)
    async with runtime.database.transaction() as session:
        await change_listing(
            session, listing.channel_id, listing.id, rules, by="tester", now=runtime.clock.now()
        )
    await push.refresh(runtime)


async def test_a_smaller_pot_opens_a_case_and_a_greater_one_ends_its_shortage(
    runtime: Runtime, listing: Listing
) -> None:
    assert await shortages(runtime.database) == {}
    await set_pot(runtime, listing, 1)
    assert await shortages(runtime.database) == {"LAMP": ("open", 3, 3)}
    await set_pot(runtime, listing, 4)
    assert await shortages(runtime.database) == {"LAMP": ("open", 0, 3)}
