"""What an own store tells, beside what was stored of it before."""

from __future__ import annotations

import msgspec
import pytest
from sqlalchemy import func, select

from inventory.db import Database
from inventory.events import SaleTold, ToldLine
from inventory.inbox import Inbox, content_hash
from inventory.ledger import Ledger
from inventory.models import Channel, Fact, InboundEvent
from inventory.telling import Door, Told
from tests.conftest import HandClock, Save
from tests.factories import ChannelFactory, ListingFactory, SkuFactory

SALE = SaleTold(
    event_id="e-1",
    order_ref="o-1",
    lines=[ToldLine(line_ref="1", channel_sku="W-MUG", quantity=3)],
)


@pytest.fixture
def door(database: Database, ledger: Ledger, clock: HandClock) -> Door:
    """Where the store tells."""
    return Door(database, ledger, clock)


@pytest.fixture
async def store(save: Save) -> Channel:
    """An own store that lists MUG as W-MUG."""
    channel, sku = ChannelFactory.build(kind="own_store"), SkuFactory.build(code="MUG")
    await save(channel, sku)
    await save(ListingFactory.build(channel_id=channel.id, sku_id=sku.id, channel_sku="W-MUG"))
    return channel


async def count(database: Database, what: type[Fact | InboundEvent]) -> int:
    """How many rows there are."""
    async with database.sessions() as session:
        return await session.scalar(select(func.count()).select_from(what)) or 0


async def test_an_event_stored_before_reservations_had_a_rest_is_the_same_event(
    database: Database, door: Door, store: Channel, save: Save, clock: HandClock
) -> None:
    """It was handled by an older version, which stored every event and knew no `keep_rest`."""
    body = msgspec.to_builtins(SALE)
    del body["keep_rest"]
    event = InboundEvent(
        channel_id=store.id,
        event_id="e-1",
        kind="sale",
        subject="o-1",
        content_hash=content_hash(body),
        body=body,
        state="handled",
        received_at=clock.now(),
    )
    await save(event)

    [answer] = await door.tell([Told(store.id, "o-1", SALE)])

    assert (answer.state, answer.repeated, answer.event) == ("handled", True, event.id)
    assert await count(database, Fact) == 0
    other = msgspec.structs.replace(SALE, keep_rest=True)
    [answer] = await door.tell([Told(store.id, "o-1", other)])
    assert (answer.state, answer.code) == ("conflict", "content_differs")


async def test_an_event_that_was_stored_and_not_handled_is_booked_when_it_is_told_again(
    database: Database, door: Door, inbox: Inbox, store: Channel
) -> None:
    """The process died between storing and handling; the sweep comes to it as well."""
    told = Told(store.id, "o-1", SALE)
    row = told.row()
    received = await inbox.receive(row.pop("channel_id"), **row)

    [answer] = await door.tell([told])
    await inbox.handle()

    assert (answer.state, answer.event) == ("handled", received.id)
    assert (await inbox.look(received.id)).state == "handled"
    assert await count(database, Fact) == 1


async def test_what_is_booked_at_once_leaves_no_event(
    database: Database, door: Door, store: Channel
) -> None:
    answers = [await door.tell([Told(store.id, "o-1", SALE)]) for _ in range(2)]

    assert [(answer.state, answer.repeated) for [answer] in answers] == [
        ("handled", False),
        ("handled", True),
    ]
    assert await count(database, InboundEvent) == 0
    assert await count(database, Fact) == 1


async def test_nothing_that_belongs_together_is_parked(
    database: Database, door: Door, store: Channel
) -> None:
    unknown = ToldLine(line_ref="1", channel_sku="W-CUP", quantity=1)
    other = msgspec.structs.replace(SALE, event_id="e-2", order_ref="o-2", lines=[unknown])
    told = [Told(store.id, "o-1", SALE), Told(store.id, "o-2", other)]

    answers = await door.tell(told, together=True)

    assert [(answer.state, answer.code) for answer in answers] == [
        ("refused", "not_together"),
        ("refused", "unknown_listing"),
    ]
    assert await count(database, InboundEvent) == 0
    assert await count(database, Fact) == 0
