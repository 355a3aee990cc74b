"""What tests do to the queue of webhooks: put in, claim, end, look."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select

from inventory import deliveries
from inventory.db import Database
from inventory.models import Delivery
from inventory.outgoing import dispatch
from inventory.outgoing.outbound import Answer
from tests.conftest import HandClock
from tests.factories import NOON

OK = Answer(status=204)
DOWN = Answer(status=503, failure="status_503")


async def queue(database: Database, event: str = "alert.fired", **body: Any) -> int:
    async with database.transaction() as session:
        return await deliveries.enqueue(session, event, body, NOON)


async def number(
    database: Database, quantity: int, revision: int, *, sku: str = "A", now: datetime = NOON
) -> int:
    async with database.transaction() as session:
        return await deliveries.enqueue_quantity(
            session,
            channel="own",
            channel_sku=sku,
            quantity=quantity,
            revision=revision,
            now=now,
        )


async def claim(database: Database, now: datetime = NOON) -> list[dispatch.Due]:
    async with database.transaction() as session:
        return await dispatch.due(session, now, 20)


async def end(
    database: Database, due: dispatch.Due, answer: Answer, now: datetime = NOON
) -> dispatch.Verdict:
    async with database.transaction() as session:
        return await dispatch.record(session, due, answer, now, chance=lambda: 0.0)


async def rows(database: Database) -> list[Delivery]:
    async with database.transaction() as session:
        return list(await session.scalars(select(Delivery).order_by(Delivery.id)))


async def put(database: Database, clock: HandClock, count: int = 1) -> None:
    for number in range(count):
        async with database.transaction() as session:
            await deliveries.enqueue(session, "alert.fired", {"n": number}, clock.now())


async def log(database: Database) -> list[tuple[int, str, int, int | None, str | None]]:
    """(endpoint, state, attempts, last status, last failure) of every delivery."""
    async with database.transaction() as session:
        rows = await session.scalars(select(Delivery).order_by(Delivery.id))
        return [
            (row.endpoint_id, row.state, row.attempts, row.last_status, row.last_failure)
            for row in rows
        ]
