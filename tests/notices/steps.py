"""What tests do to the queue of webhooks: put in, claim, end, look."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select

from inventory import deliveries
from inventory.alerting.teams import TeamTerms, put_team
from inventory.db import Database
from inventory.models import Delivery
from inventory.outgoing import dispatch
from inventory.outgoing.outbound import Answer
from tests.factories import NOON

OK = Answer(status=204)
DOWN = Answer(status=503, failure="status_503")


async def teams(database: Database, *codes: str) -> None:
    """Add teams, by whose code endpoints are made."""
    async with database.transaction() as session:
        for code in codes:
            await put_team(session, code, TeamTerms(), by="mori", now=NOON)


async def queue(
    database: Database, event: str = "alert.fired", *, now: datetime = NOON, **body: Any
) -> int:
    async with database.transaction() as session:
        return await deliveries.enqueue(session, event, body, now)


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
        return await dispatch.record(session, due, answer, now, milliseconds=7, chance=lambda: 0.0)


async def rows(database: Database) -> list[Delivery]:
    async with database.transaction() as session:
        return list(await session.scalars(select(Delivery).order_by(Delivery.id)))


async def log(database: Database) -> list[tuple[int, str, int, int | None, str | None]]:
    """(endpoint, state, attempts, last status, last failure) of every delivery."""
    async with database.transaction() as session:
        rows = await session.scalars(select(Delivery).order_by(Delivery.id))
        return [
            (row.endpoint_id, row.state, row.attempts, row.last_status, row.last_failure)
            for row in rows
        ]
