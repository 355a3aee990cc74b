"""Messages that are sent again, and those that are deleted in the end."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from inventory import deliveries
from inventory.db import Database
from inventory.errors import NotFound, WrongState
from inventory.models import Delivery, WebhookEndpoint
from tests.factories import NOON
from tests.notices.conftest import Endpoint
from tests.notices.steps import OK, claim, end, number, queue, rows


@pytest.mark.parametrize("state", ["parked", "delivered"])
async def test_ended_message_is_sent_again_under_its_id(
    database: Database, endpoint: Endpoint, state: str
) -> None:
    await endpoint()
    await queue(database)
    async with database.transaction() as session:
        await session.execute(update(Delivery).values(state=state, attempts=13))
    [before] = await rows(database)
    later = NOON + timedelta(hours=1)

    async with database.transaction() as session:
        await deliveries.replay(session, before.id, later)

    [due] = await claim(database, later)
    assert (due.message_id, due.attempts) == (before.message_id, 1)


async def test_waiting_message_is_tried_at_once_when_a_person_says_so(
    database: Database, endpoint: Endpoint
) -> None:
    await endpoint()
    await queue(database)
    async with database.transaction() as session:
        await session.execute(
            update(Delivery).values(attempts=4, due_at=NOON + timedelta(hours=10))
        )
        [row] = await session.scalars(select(Delivery))
        await deliveries.replay(session, row.id, NOON)

    [due] = await claim(database)
    assert due.attempts == 5


async def test_what_cannot_be_sent_again_says_why(database: Database, endpoint: Endpoint) -> None:
    await endpoint()
    await number(database, 5, 1)
    [due] = await claim(database)
    await end(database, due, OK)
    await number(database, 4, 2)
    before = [(row.id, row.state, row.body) for row in await rows(database)]

    async with database.transaction() as session:
        with pytest.raises(NotFound):
            await deliveries.replay(session, 999, NOON)
        with pytest.raises(WrongState, match="something newer"):
            await deliveries.replay(session, due.id, NOON)
        await session.execute(update(WebhookEndpoint).values(active=False))
        with pytest.raises(WrongState, match="disabled"):
            await deliveries.replay(session, before[1][0], NOON)

    assert [(row.id, row.state, row.body) for row in await rows(database)] == before


async def test_ended_messages_are_kept_thirty_days(database: Database, endpoint: Endpoint) -> None:
    await endpoint()
    for state, days in (("delivered", 30), ("parked", 30.001), ("delivered", 31), ("pending", 31)):
        await queue(database)
        async with database.transaction() as session:
            newest = select(func.max(Delivery.id)).scalar_subquery()
            await session.execute(
                update(Delivery)
                .where(Delivery.id == newest)
                .values(state=state, created_at=NOON - timedelta(days=days))
                .execution_options(synchronize_session=False)
            )

    async with database.transaction() as session:
        assert await deliveries.tidy(session, NOON) == 2
    assert [row.state for row in await rows(database)] == ["delivered", "pending"]

    # As a sender leaves it that died while its endpoint was removed.
    async with database.transaction() as session:
        await session.execute(update(WebhookEndpoint).values(removed_at=NOON))
        assert await deliveries.tidy(session, NOON) == 1
    assert [row.state for row in await rows(database)] == ["delivered"]
