"""Absurd numbers: refused or parked alone, and never in the way of others."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from inventory import listings
from inventory.availability import SHOWN_MAX
from inventory.db import Database
from inventory.facts import QUANTITY_MAX, AdjustReason, StockAdjusted, StockReceived
from inventory.inbox import Inbox
from inventory.ledger import Ledger
from inventory.listings import Margins
from inventory.models import Channel, InboundEvent, Listing, Location, Sku, StaleSku
from tests.conftest import HandClock, Save
from tests.factories import (
    NOON,
    ChannelFactory,
    ListingFactory,
    SkuFactory,
    StockLevelFactory,
    line,
    order_seen,
)
from tests.ledger.told import levels

INT_MAX = 2**31 - 1


@pytest.fixture
async def mug(save: Save) -> str:
    """A SKU without stock."""
    await save(SkuFactory.build(code="MUG"))
    return "MUG"


@pytest.fixture
async def rakuten(save: Save) -> Channel:
    """A shop that lists MUG as R-MUG."""
    channel, sku = ChannelFactory.build(), SkuFactory.build(code="MUG")
    await save(channel, sku)
    await save(ListingFactory.build(channel_id=channel.id, sku_id=sku.id, channel_sku="R-MUG"))
    return channel


async def states(database: Database) -> list[tuple[str, str]]:
    async with database.sessions() as session:
        rows = await session.execute(
            select(InboundEvent.state, InboundEvent.code).order_by(InboundEvent.id)
        )
        return [(state, code) for state, code in rows]


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
    assert [state for state, _ in await states(database)] == ["handled", "parked", "handled"]
    assert await levels(database) == {("MUG", "main"): (0, 4)}
    assert await inbox.handle() == 0


async def test_a_sale_that_a_balance_cannot_hold_is_parked_alone(
    database: Database, inbox: Inbox, rakuten: Channel
) -> None:
    async def tell(name: str, lines: int, units: int) -> None:
        told = [
            {"line_ref": str(number), "channel_sku": "R-MUG", "quantity": units}
            for number in range(lines)
        ]
        body = {"event_id": name, "order_ref": name, "lines": told}
        await inbox.receive(rakuten.id, event_id=name, kind="sale", subject=name, body=body)

    for number in range(12):
        await tell(f"o-{number}", 200, QUANTITY_MAX)
    await tell("o-12", 1, 1)
    assert await inbox.handle() == 13
    found = await states(database)
    assert found == [("handled", "")] * 10 + [("parked", "too_many")] * 2 + [("handled", "")]
    assert await levels(database) == {("MUG", "main"): (0, 10 * 200 * QUANTITY_MAX + 1)}
    assert await inbox.handle() == 0


async def test_a_fact_that_a_balance_cannot_hold_is_refused_alone(
    database: Database, ledger: Ledger, mug: str
) -> None:
    """The balance is brought near its limit behind the ledger's back, to be quick."""
    pool = await database.pool()
    await pool.execute(
        "INSERT INTO stock_level (sku_id, location_id, on_hand) SELECT id, 1, $1 FROM sku",
        INT_MAX - 5,
    )
    facts = [
        StockReceived(
            channel_id=0, fact_ref=f"in-{units}", occurred_at=NOON, sku=mug, quantity=units
        )
        for units in (2, 10, 3)
    ]
    outcomes = await ledger.apply(facts)
    assert [outcome.code for outcome in outcomes] == ["", "too_many", ""]
    assert await pool.fetchval("SELECT on_hand FROM stock_level") == INT_MAX
    # Its name is free: it is booked once there is room.
    counted = StockAdjusted(
        channel_id=0,
        fact_ref="count-1",
        occurred_at=NOON,
        sku=mug,
        on_hand=5,
        reason=AdjustReason.COUNT,
    )
    outcomes = await ledger.apply([counted, facts[1]])
    assert [outcome.code for outcome in outcomes] == ["", ""]
    assert await pool.fetchval("SELECT on_hand FROM stock_level") == 15


async def test_more_than_an_integer_holds_over_two_locations_is_published(
    database: Database, rakuten: Channel, save: Save, margins: Margins, clock: HandClock
) -> None:
    async with database.sessions() as session:
        sku_id = (await session.scalars(select(Sku.id))).one()
    await save(Location(code="annex"))
    for location_id in (1, 2):
        full = {"location_id": location_id, "on_hand": INT_MAX}
        await save(StockLevelFactory.build(sku_id=sku_id, **full))
    await save(StaleSku(sku_id=sku_id, marked_at=NOON))
    async with database.transaction() as session:
        await listings.refresh(session, margins=margins, now=clock.now())
    async with database.sessions() as session:
        wanted = (await session.scalars(select(Listing.quantity_wanted))).one()
    assert wanted == SHOWN_MAX


@pytest.mark.parametrize("text", ["order_ref", "channel_sku"])
async def test_a_text_that_cannot_be_stored_is_parked_alone(
    database: Database, inbox: Inbox, rakuten: Channel, text: str
) -> None:
    bad = order_seen("o\x00-1") if text == "order_ref" else order_seen(lines=(line("R\x00-MUG"),))
    for _ in range(2):
        await inbox.receive_orders(rakuten.id, [bad, order_seen("o-2")])
        await inbox.handle()

    assert sorted(await states(database)) == [("handled", ""), ("parked", "malformed")]
