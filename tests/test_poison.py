"""No event keeps others from being handled, and no balance is too large to be kept."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from inventory import listings
from inventory.db import Database
from inventory.facts import AdjustReason, StockAdjusted, StockReceived
from inventory.inbox import HANDLE_MAX, Inbox
from inventory.ledger import Ledger
from inventory.listings import Margins
from inventory.models import Channel, InboundEvent, Listing
from tests.conftest import HandClock, Save
from tests.factories import NOON, ChannelFactory, ListingFactory, SkuFactory, line, order_seen
from tests.ledger.told import levels

INT_MAX = 2**31 - 1
MOST = 1_000_000


@pytest.fixture
async def rakuten(save: Save) -> Channel:
    """A shop that lists MUG as R-MUG."""
    channel, sku = ChannelFactory.build(), SkuFactory.build(code="MUG")
    await save(channel, sku)
    await save(ListingFactory.build(channel_id=channel.id, sku_id=sku.id, channel_sku="R-MUG"))
    return channel


async def states(database: Database) -> list[tuple[str, str, str]]:
    async with database.sessions() as session:
        rows = await session.execute(
            select(InboundEvent.subject, InboundEvent.state, InboundEvent.code).order_by(
                InboundEvent.id
            )
        )
        return [(subject, state, code) for subject, state, code in rows]


@pytest.mark.parametrize(
    "absurd",
    [
        {"unit_price": INT_MAX + 1},
        {"unit_price": -INT_MAX - 2},
        {"unit_price": 10**30},
        {"quantity": INT_MAX + 1},
        {"quantity": 10**30},
        {"quantity": -1},
        {"cancelled": INT_MAX + 1},
        {"shipped": INT_MAX + 1},
    ],
)
async def test_an_absurd_order_is_parked_alone(
    database: Database, inbox: Inbox, rakuten: Channel, absurd: dict[str, Any]
) -> None:
    orders = [
        order_seen("o-1"),
        order_seen("o-2", lines=(line(**absurd),)),
        order_seen("o-3"),
    ]
    await inbox.receive_orders(rakuten.id, orders)
    assert await inbox.handle() == 3
    assert [state for _, state, _ in await states(database)] == ["handled", "parked", "handled"]
    assert await levels(database) == {("MUG", "main"): (0, 4)}
    assert await inbox.handle() == 0


async def test_sales_beyond_what_an_integer_holds_are_booked(
    database: Database, inbox: Inbox, rakuten: Channel
) -> None:
    lines = [
        {"line_ref": str(number), "channel_sku": "R-MUG", "quantity": MOST} for number in range(200)
    ]
    for number in range(12):
        name = f"o-{number}"
        await inbox.receive(
            rakuten.id,
            event_id=name,
            kind="sale",
            subject=name,
            body={"event_id": name, "order_ref": name, "lines": lines},
        )
    assert await inbox.handle() == 12
    assert {state for _, state, _ in await states(database)} == {"handled"}
    assert await levels(database) == {("MUG", "main"): (0, 12 * 200 * MOST)}


async def test_stock_beyond_what_an_integer_holds_is_kept_and_published(
    database: Database, ledger: Ledger, rakuten: Channel, margins: Margins, clock: HandClock
) -> None:
    for batch in range(3):
        facts = [
            StockReceived(
                channel_id=0,
                fact_ref=f"in-{batch}-{number}",
                occurred_at=NOON,
                sku="MUG",
                quantity=MOST,
            )
            for number in range(1000)
        ]
        await ledger.apply(facts)
    assert await levels(database) == {("MUG", "main"): (3000 * MOST, 0)}
    async with database.transaction() as session:
        await listings.refresh(session, margins=margins, now=clock.now())
        wanted = (await session.scalars(select(Listing.quantity_wanted))).one()
    assert wanted is not None
    assert 0 < wanted <= INT_MAX
    counted = StockAdjusted(
        channel_id=0,
        fact_ref="count-1",
        occurred_at=NOON,
        sku="MUG",
        on_hand=5,
        reason=AdjustReason.COUNT,
    )
    await ledger.apply([counted])
    assert await levels(database) == {("MUG", "main"): (5, 0)}
    assert rakuten
    assert HANDLE_MAX
