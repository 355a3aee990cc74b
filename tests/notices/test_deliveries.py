"""The queue of webhooks: who gets a message, and what a newer number replaces."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import update

from inventory import deliveries
from inventory.db import Database
from inventory.errors import BadInput
from inventory.models import Delivery, WebhookEndpoint
from inventory.outgoing import dispatch
from tests.factories import NOON
from tests.notices.conftest import Endpoint
from tests.notices.steps import DOWN, OK, claim, end, number, queue, rows


async def test_one_message_with_one_id_for_each_endpoint_that_wants_it(
    database: Database, endpoint: Endpoint
) -> None:
    (everything, _), (fired, _), (_, _), (switched_off, _) = [
        await endpoint(),
        await endpoint(events=("alert.closed", "alert.fired")),
        await endpoint(events=("listing.quantity",)),
        await endpoint(),
    ]
    async with database.transaction() as session:
        await session.execute(
            update(WebhookEndpoint)
            .where(WebhookEndpoint.id == switched_off.id)
            .values(active=False)
        )

    assert await queue(database, sku="MUG") == 2
    assert await queue(database, "order.cancelled") == 1

    first, second, third = await rows(database)
    assert {first.endpoint_id, second.endpoint_id} == {everything.id, fired.id}
    assert first.message_id == second.message_id != third.message_id
    assert first.message_id.startswith("msg_")
    assert "." not in first.message_id
    assert (first.event, first.body, first.state) == ("alert.fired", {"sku": "MUG"}, "pending")
    assert (first.attempts, first.due_at, first.created_at) == (0, NOON, NOON)


async def test_message_that_is_rolled_back_was_never_queued(
    database: Database, endpoint: Endpoint
) -> None:
    await endpoint()
    async with database.sessions() as session:
        assert await deliveries.enqueue(session, "alert.fired", {}, NOON) == 1
        await session.rollback()

    assert await rows(database) == []


@pytest.mark.parametrize("event", ["", "alert", "Alert.fired", "alert..fired", "a." * 60 + "b"])
async def test_event_without_a_proper_name_is_refused(
    database: Database, endpoint: Endpoint, event: str
) -> None:
    with pytest.raises(BadInput):
        await queue(database, event)
    with pytest.raises(BadInput):
        await endpoint(events=(event,))
    assert await rows(database) == []


async def test_message_that_is_too_large_is_refused(database: Database, endpoint: Endpoint) -> None:
    await endpoint()

    assert await queue(database, text="x" * 63_989) == 1
    with pytest.raises(BadInput):
        await queue(database, text="x" * 63_990)
    assert len(await rows(database)) == 1


async def test_newer_number_takes_the_place_of_the_waiting_one(
    database: Database, endpoint: Endpoint
) -> None:
    await endpoint()
    await endpoint()
    assert [await number(database, 5, 1), await number(database, 3, 2, sku="B")] == [2, 2]
    before = await rows(database)

    assert await number(database, 4, 3) == 2

    after = await rows(database)
    assert [row.id for row in after] == [row.id for row in before]
    assert [row.body for row in after if row.topic == "listing/own/A"] == [
        {"channel": "own", "channel_sku": "A", "quantity": 4, "revision": 3}
    ] * 2
    assert {row.body["quantity"] for row in after if row.topic == "listing/own/B"} == {3}
    assert {row.event for row in after} == {"listing.quantity"}
    old = {row.message_id for row in before if row.topic == "listing/own/A"}
    new = {row.message_id for row in after if row.topic == "listing/own/A"}
    assert (len(old), len(new), old & new) == (1, 1, set())


@pytest.mark.parametrize("revision", [3, 2])
async def test_same_or_older_revision_changes_nothing(
    database: Database, endpoint: Endpoint, revision: int
) -> None:
    await endpoint()
    await number(database, 4, 3)

    assert await number(database, 9, revision) == 0
    [row] = await rows(database)
    assert row.body["quantity"] == 4


async def test_twenty_numbers_at_once_leave_the_newest(
    database: Database, endpoint: Endpoint
) -> None:
    await endpoint()
    await asyncio.gather(*(number(database, 100 - n, n) for n in range(1, 21)))

    [row] = await rows(database)
    assert row.body == {"channel": "own", "channel_sku": "A", "quantity": 80, "revision": 20}


async def test_delivered_number_stays_in_the_log(database: Database, endpoint: Endpoint) -> None:
    await endpoint()
    await number(database, 5, 1)
    [due] = await claim(database)
    await end(database, due, OK)

    await number(database, 4, 2)

    assert [(row.state, row.body["quantity"]) for row in await rows(database)] == [
        ("delivered", 5),
        ("pending", 4),
    ]


async def test_number_changed_on_the_way_is_sent_next_and_the_log_keeps_both(
    database: Database, endpoint: Endpoint
) -> None:
    await endpoint()
    await number(database, 5, 1)
    async with database.transaction() as session:
        await session.execute(update(Delivery).values(attempts=5))
    [due] = await claim(database)
    later = NOON + timedelta(seconds=1)
    await number(database, 4, 2, now=later)
    assert await claim(database, later) == []

    assert await end(database, due, OK, later) is dispatch.Verdict.DELIVERED

    [sent, waiting] = await rows(database)
    assert (sent.state, sent.message_id, sent.body["quantity"]) == ("delivered", due.message_id, 5)
    assert (sent.attempts, sent.created_at, sent.delivered_at) == (6, NOON, later)
    assert (waiting.state, waiting.body["quantity"], waiting.attempts) == ("pending", 4, 0)
    assert (waiting.due_at, waiting.created_at) == (later, later)
    assert waiting.topic == sent.topic == "listing/own/A"
    [following] = await claim(database, later)
    assert (following.body["revision"], following.message_id) == (2, waiting.message_id)


async def test_number_changed_on_the_way_of_a_failure_is_tried_in_its_place(
    database: Database, endpoint: Endpoint
) -> None:
    await endpoint()
    await number(database, 5, 1)
    [due] = await claim(database)
    await number(database, 4, 2)

    assert await end(database, due, DOWN) is dispatch.Verdict.WAITING

    [row] = await rows(database)
    assert (row.state, row.body["quantity"], row.attempts) == ("pending", 4, 1)
    assert row.due_at == NOON + timedelta(seconds=5)


async def test_new_number_for_a_dead_endpoint_waits_a_minute_at_most(
    database: Database, endpoint: Endpoint
) -> None:
    await endpoint()
    await number(database, 5, 1)
    async with database.transaction() as session:
        await session.execute(
            update(Delivery).values(attempts=9, due_at=NOON + timedelta(hours=10))
        )
    await number(database, 4, 2)
    [row] = await rows(database)
    assert (row.attempts, row.due_at) == (3, NOON + timedelta(seconds=60))

    await number(database, 3, 3, now=NOON + timedelta(seconds=50))
    [row] = await rows(database)
    assert (row.attempts, row.due_at) == (3, NOON + timedelta(seconds=60))


def test_number_that_replaces_another_still_has_its_75_hours() -> None:
    assert sum(dispatch.WAITS[deliveries.REPLACED_ATTEMPTS_MAX :]) >= 75 * 3600
