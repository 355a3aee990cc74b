"""Units of orders that were cancelled are no sales, however the channel told of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from inventory.alerting import measure
from inventory.db import Database
from inventory.facts import (
    CancellationReceived,
    LineUnits,
    SaleLine,
    SaleReceived,
    ShipmentSeen,
    StockReceived,
)
from inventory.ledger import Ledger
from inventory.models import SkuPace
from inventory.vocabulary import Party
from tests.conftest import Save
from tests.factories import NOON, ChannelFactory, ListingFactory, SkuFactory

ONE = (LineUnits(line_ref="1", quantity=1),)


@pytest.mark.parametrize(
    ("shipped", "cancelled", "sold"),
    [((), None, 5), ((), (), 0), ((), ONE, 4), (ONE, (), 1)],
)
async def test_what_was_cancelled_is_not_sold(
    database: Database,
    ledger: Ledger,
    save: Save,
    shipped: tuple[LineUnits, ...],
    cancelled: tuple[LineUnits, ...] | None,
    sold: int,
) -> None:
    store, mug = ChannelFactory.build(), SkuFactory.build(code="MUG")
    await save(store, mug)
    await save(ListingFactory.build(channel_id=store.id, sku_id=mug.id, channel_sku="W-MUG"))
    placed = NOON - timedelta(days=3)
    named: dict[str, Any] = {"channel_id": store.id, "occurred_at": placed}
    lines = (SaleLine(line_ref="1", channel_sku="W-MUG", quantity=5),)
    facts: list[Any] = [
        StockReceived(
            channel_id=0, fact_ref="in", occurred_at=placed - timedelta(9), sku="MUG", quantity=50
        ),
        SaleReceived(fact_ref="o-1", order_ref="o-1", lines=lines, **named),
    ]
    if shipped:
        facts.append(ShipmentSeen(fact_ref="s-1", order_ref="o-1", lines=shipped, **named))
    if cancelled is not None:
        facts.append(
            CancellationReceived(
                fact_ref="c-1", order_ref="o-1", lines=cancelled, by=Party.BUYER, **named
            )
        )
    await ledger.apply(facts)

    async with database.transaction() as session:
        await measure.measure(session, NOON)
        pace = await session.scalar(select(SkuPace.sold))

    assert pace == sold
