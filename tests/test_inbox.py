"""Events from the channels: stored once, handled once, parked with a reason, replayed."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from inventory.db import Database
from inventory.errors import NotFound, WrongState
from inventory.facts import ReservationAsked, SaleLine, StockReceived
from inventory.inbox import Inbox
from inventory.ledger import Ledger
from inventory.models import Channel, InboundEvent, SalesOrder, StockLevel, StockMovement
from inventory.vocabulary import Party
from tests.conftest import Save
from tests.factories import (
    NOON,
    ChannelFactory,
    ListingFactory,
    SkuFactory,
    line,
    order_seen,
)

SALE: dict[str, Any] = {
    "event_id": "e-1",
    "order_ref": "o-1",
    "lines": [{"line_ref": "1", "channel_sku": "R-MUG", "quantity": 3}],
}


@pytest.fixture
async def rakuten(save: Save, ledger: Ledger) -> Channel:
    """A shop that lists MUG, of which ten units lie in the house, as R-MUG."""
    channel, sku = ChannelFactory.build(), SkuFactory.build(code="MUG")
    await save(channel, sku)
    await save(ListingFactory.build(channel_id=channel.id, sku_id=sku.id, channel_sku="R-MUG"))
    await ledger.apply(
        [StockReceived(channel_id=0, fact_ref="in", occurred_at=NOON, sku="MUG", quantity=10)]
    )
    return channel


async def level(database: Database) -> tuple[int, int]:
    async with database.sessions() as session:
        row = (await session.scalars(select(StockLevel))).one()
        moved, held = (
            await session.execute(
                select(
                    func.sum(StockMovement.on_hand_delta), func.sum(StockMovement.reserved_delta)
                )
            )
        ).one()
    assert (row.on_hand, row.reserved) == (moved, held)
    return row.on_hand, row.reserved


async def states(database: Database) -> list[tuple[str, str]]:
    async with database.sessions() as session:
        rows = await session.execute(
            select(InboundEvent.state, InboundEvent.code).order_by(InboundEvent.id)
        )
        return [(state, code) for state, code in rows]


async def pull(inbox: Inbox, channel: Channel, **order: Any) -> int:
    """A pull that finds one order, as it is now; how many snapshots were new."""
    ids = await inbox.receive_orders(channel.id, [order_seen(**order)])
    await inbox.handle()
    return len(ids)


async def test_an_order_seen_in_every_pull_is_booked_once(
    database: Database, inbox: Inbox, rakuten: Channel
) -> None:
    for second in range(5):
        new = await pull(inbox, rakuten, observed_at=NOON + timedelta(seconds=second))
        assert new == (1 if second == 0 else 0)
    assert await level(database) == (10, 2)


async def test_the_same_order_from_poll_and_notice_at_once(
    database: Database, inbox: Inbox, rakuten: Channel
) -> None:
    await asyncio.gather(*(inbox.receive_orders(rakuten.id, [order_seen()]) for _ in range(8)))
    await asyncio.gather(*(inbox.handle() for _ in range(8)))
    assert await level(database) == (10, 2)


async def test_an_order_that_changes_and_changes_back(
    database: Database, inbox: Inbox, rakuten: Channel
) -> None:
    for second, units in enumerate([2, 5, 2, 2, 4]):
        moment = NOON + timedelta(seconds=second)
        await pull(inbox, rakuten, observed_at=moment, lines=(line(quantity=units),))
        assert await level(database) == (10, units)
    async with database.sessions() as session:
        assert (await session.scalars(select(SalesOrder.revision))).one() == 4


async def test_an_older_snapshot_is_ignored(
    database: Database, inbox: Inbox, rakuten: Channel
) -> None:
    late = NOON + timedelta(minutes=1)
    await pull(inbox, rakuten, observed_at=late, lines=(line(quantity=2, cancelled=1),))
    await pull(inbox, rakuten, observed_at=NOON, lines=(line(quantity=2),))
    assert await level(database) == (10, 1)


async def test_a_shipment_seen_at_the_channel_is_booked_once(
    database: Database, inbox: Inbox, rakuten: Channel
) -> None:
    await pull(inbox, rakuten)
    for second in (1, 2, 3):
        moment = NOON + timedelta(seconds=second)
        await pull(inbox, rakuten, observed_at=moment, lines=(line(shipped=2),), hint="shipped")
    assert await level(database) == (8, 0)


async def test_an_order_first_seen_when_it_is_already_cancelled(
    database: Database, inbox: Inbox, rakuten: Channel
) -> None:
    await pull(inbox, rakuten, cancelled=True, cancelled_by=Party.BUYER)
    assert await level(database) == (10, 0)


async def test_a_line_that_vanishes_from_an_order_is_released(
    database: Database, inbox: Inbox, rakuten: Channel
) -> None:
    two = (line(), line(line_ref="2", quantity=3))
    await pull(inbox, rakuten, lines=two)
    assert await level(database) == (10, 5)
    await pull(inbox, rakuten, observed_at=NOON + timedelta(seconds=1))
    assert await level(database) == (10, 2)


async def test_what_the_channel_fulfils_itself_leaves_our_stock_alone(
    database: Database, inbox: Inbox, rakuten: Channel
) -> None:
    lines = (line(shipped=2), line("NOT-OURS", line_ref="2"))
    await pull(inbox, rakuten, fulfilled_by_channel=True, lines=lines)
    assert await level(database) == (10, 0)
    assert await states(database) == [("handled", "")]


async def test_an_unknown_listing_parks_the_event_and_a_replay_books_the_rest(
    database: Database, inbox: Inbox, rakuten: Channel, save: Save
) -> None:
    lines = (line(), line("R-TEE", 3, line_ref="2"))
    await pull(inbox, rakuten, lines=lines)
    assert await states(database) == [("parked", "unknown_listing")]
    assert await level(database) == (10, 2)  # the line that we know is safe already

    async with database.sessions() as session:
        [event] = await session.scalars(select(InboundEvent))
    assert event.detail == "no listing of R-TEE"
    mug = (await look_up(database)).sku_id
    await save(ListingFactory.build(channel_id=rakuten.id, sku_id=mug, channel_sku="R-TEE"))
    replayed = await inbox.replay(event.id)
    assert replayed.state == "handled"
    assert await level(database) == (10, 5)
    with pytest.raises(WrongState):
        await inbox.replay(event.id)
    with pytest.raises(NotFound):
        await inbox.replay(999)


async def look_up(database: Database) -> StockLevel:
    async with database.sessions() as session:
        return (await session.scalars(select(StockLevel))).one()


async def test_one_event_id_with_other_content_is_kept_and_not_applied(
    database: Database, inbox: Inbox, rakuten: Channel
) -> None:
    async def tell(quantity: int) -> tuple[str, bool]:
        told = SALE | {"lines": [SALE["lines"][0] | {"quantity": quantity}]}
        received = await inbox.receive(
            rakuten.id, event_id="e-1", kind="sale", subject="o-1", body=told
        )
        await inbox.handle()
        return received.state, received.repeated

    assert await tell(3) == ("new", False)
    assert await tell(3) == ("handled", True)
    assert await tell(4) == ("conflict", False)
    assert await tell(4) == ("conflict", False)
    assert await states(database) == [("handled", ""), ("conflict", "content_differs")]
    assert await level(database) == (10, 3)


async def test_ten_deliveries_of_one_event_at_once_are_one_event(
    database: Database, inbox: Inbox, rakuten: Channel
) -> None:
    answers = await asyncio.gather(
        *(
            inbox.receive(rakuten.id, event_id="e-1", kind="sale", subject="o-1", body=SALE)
            for _ in range(10)
        )
    )
    await inbox.handle()
    assert len({answer.id for answer in answers}) == 1
    assert sorted(answer.repeated for answer in answers) == [False] + [True] * 9
    assert await level(database) == (10, 3)


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        ("sale", {"event_id": "e-1"}, "malformed"),
        ("sale", SALE | {"lines": SALE["lines"] * 2}, "malformed"),
        ("sale", SALE | {"lines": [SALE["lines"][0] | {"quantity": -3}]}, "malformed"),
        ("sale", SALE | {"occurred_at": "2026-11-21T12:00:00"}, "malformed"),
        ("sale", SALE | {"order_ref": "o-1\n"}, "malformed"),
        ("order", {"order_ref": "o-1"}, "malformed"),
        ("letter", {}, "unknown_kind"),
    ],
)
async def test_what_cannot_be_handled_is_parked_and_changes_nothing(
    database: Database,
    inbox: Inbox,
    rakuten: Channel,
    kind: str,
    body: dict[str, Any],
    code: str,
) -> None:
    await inbox.receive(rakuten.id, event_id="e-1", kind=kind, subject="o-1", body=body)
    good = SALE | {"event_id": "e-2", "order_ref": "o-2"}
    await inbox.receive(rakuten.id, event_id="e-2", kind="sale", subject="o-2", body=good)
    await inbox.handle()
    assert await states(database) == [("parked", code), ("handled", "")]
    assert await level(database) == (10, 3)


async def test_a_sale_with_an_unknown_reservation_is_a_sale_all_the_same(
    database: Database, inbox: Inbox, rakuten: Channel
) -> None:
    told = SALE | {"reservation_ref": "never"}
    received = await inbox.receive(
        rakuten.id, event_id="e-1", kind="sale", subject="o-1", body=told
    )
    await inbox.handle()
    event = await inbox.look(received.id)
    assert event.state == "handled"
    assert event.outcome is not None
    assert event.outcome["code"] == "unknown_reservation"
    assert await level(database) == (10, 3)


async def test_a_reservation_may_be_named_as_an_event_is(
    database: Database, inbox: Inbox, ledger: Ledger, rakuten: Channel
) -> None:
    held = (SaleLine(line_ref="1", sku="MUG", quantity=1),)
    await ledger.apply(
        [ReservationAsked(channel_id=rakuten.id, fact_ref="e-1", occurred_at=NOON, lines=held)]
    )
    await inbox.receive(rakuten.id, event_id="e-1", kind="sale", subject="o-1", body=SALE)
    await inbox.handle()
    assert await states(database) == [("handled", "")]
    assert await level(database) == (10, 4)


async def test_an_order_that_could_not_be_read_is_kept_once(
    database: Database, inbox: Inbox, rakuten: Channel
) -> None:
    for _ in range(3):
        await inbox.park(rakuten.id, subject="o-9", code="malformed", detail="units is missing")
    assert await states(database) == [("parked", "malformed")]


async def test_no_buyer_data_is_stored(database: Database, inbox: Inbox, rakuten: Channel) -> None:
    """An order is stored as our own words, which have no place for a name or an address."""
    await pull(inbox, rakuten)
    async with database.sessions() as session:
        [body] = await session.scalars(select(InboundEvent.body))
    assert set(body) == {
        "order_ref",
        "ordered_at",
        "observed_at",
        "lines",
        "hint",
        "cancelled",
        "cancelled_by",
        "cancel_reason",
        "buyer_asked_to_cancel",
        "cancellable",
        "fulfilled_by_channel",
        "ship_by",
    }
