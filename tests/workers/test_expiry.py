"""Reservations whose time is over are given back, each once."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from sqlalchemy import select

from inventory.facts import ReservationAsked, SaleLine, Status, StockReceived
from inventory.models import Fact, StockLevel
from tests.conftest import Save
from tests.factories import SkuFactory
from workers import process
from workers.runtime import Runtime


async def test_a_reservation_ends_at_its_time_and_only_once(
    runtime: Runtime, rival: Runtime, save: Save
) -> None:
    await save(SkuFactory.build(code="MUG"))
    now = runtime.clock.now()
    line = SaleLine(line_ref="1", sku="MUG", quantity=2)
    asked = [
        ReservationAsked(
            channel_id=0, fact_ref=f"r-{late}", occurred_at=now, lines=(line,), expires_at=ends
        )
        for late, ends in enumerate([now - timedelta(seconds=1), now + timedelta(hours=1), None])
    ]
    received = StockReceived(channel_id=0, fact_ref="in", occurred_at=now, sku="MUG", quantity=10)
    outcomes = await runtime.ledger.apply([received, *asked])
    assert [outcome.status for outcome in outcomes[1:]] == [Status.GRANTED] * 3

    await asyncio.gather(process.expire(runtime), process.expire(rival))
    assert await process.expire(runtime) == 0
    async with runtime.database.sessions() as session:
        level = (await session.scalars(select(StockLevel))).one()
        released = await session.scalars(select(Fact.fact_ref).where(Fact.kind == "release"))
        assert list(released) == ["expired:hold:r-0"]
    assert (level.on_hand, level.reserved) == (10, 4)
