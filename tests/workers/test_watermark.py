"""The watermark stays behind every order of a listing of ours that is not in the ledger."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from channels.base import Pulled
from inventory import inbox_desk
from inventory.models import Channel, InboundEvent
from inventory.vocabulary import OrderSeen
from tests.conftest import Save
from tests.factories import NOON, ChannelFactory, ListingFactory, SkuFactory, line, order_seen
from workers import pull
from workers.runtime import Runtime


@pytest.fixture
async def channel(save: Save) -> Channel:
    """A channel that lists MUG as R-MUG and was pulled up to noon."""
    channel, sku = ChannelFactory.build(watermark=NOON), SkuFactory.build(code="MUG")
    await save(channel, sku)
    await save(ListingFactory.build(channel_id=channel.id, sku_id=sku.id, channel_sku="R-MUG"))
    return channel


class Pull:
    """Pulls of one channel, each a minute after the one before."""

    def __init__(self, runtime: Runtime, channel: Channel) -> None:
        self.runtime, self.channel, self.minutes = runtime, channel, 0

    async def found(self, *orders: OrderSeen, problems: tuple[tuple[str, str], ...] = ()) -> bool:
        """Store what a pull found; whether the watermark has come with it."""
        self.minutes += 1
        upto = NOON + timedelta(minutes=self.minutes)
        seen = Pulled(orders=orders, cursor={}, watermark=upto, problems=problems)
        await pull.store(self.runtime, self.channel.id, seen)
        async with self.runtime.database.sessions() as session:
            after = await session.get_one(Channel, self.channel.id)
        return after.watermark == upto

    async def parked(self) -> list[tuple[int, str]]:
        query = select(InboundEvent.id, InboundEvent.code).where(InboundEvent.state == "parked")
        async with self.runtime.database.sessions() as session:
            return [(event_id, code) for event_id, code in await session.execute(query)]

    async def dismiss(self, event_id: int) -> None:
        async with self.runtime.database.transaction() as session:
            await inbox_desk.dismiss(session, event_id, reason="seen", by="test", now=NOON)


async def test_an_unreadable_order_holds_the_watermark_until_a_person_dismisses_it(
    runtime: Runtime, channel: Channel
) -> None:
    mine = Pull(runtime, channel)
    assert await mine.found(order_seen("o-1"))
    assert not await mine.found(problems=(("o-2", "units is missing"),))
    assert not await mine.found(order_seen("o-3"))
    [(event_id, code)] = await mine.parked()
    assert code == "malformed"
    await mine.dismiss(event_id)
    assert await mine.found()


async def test_an_order_that_the_ledger_refuses_holds_the_watermark(
    runtime: Runtime, channel: Channel
) -> None:
    mine = Pull(runtime, channel)
    assert not await mine.found(order_seen("o-1", lines=(line(), line())))
    [(event_id, code)] = await mine.parked()
    assert code == "bad_input"
    await mine.dismiss(event_id)
    assert await mine.found()


async def test_an_order_of_what_is_not_listed_holds_nothing(
    runtime: Runtime, channel: Channel
) -> None:
    mine = Pull(runtime, channel)
    assert await mine.found(order_seen("o-1", lines=(line("NOT-OURS"),)))
    assert [code for _, code in await mine.parked()] == ["unknown_listing"]
