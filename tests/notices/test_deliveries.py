"""The queue of webhooks: who gets a message, what a newer number replaces, what is sent again."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from inventory import deliveries, dispatch
from inventory.db import Database
from inventory.endpoints import ENDPOINTS_MAX, add_endpoint, secret_of
from inventory.errors import BadInput, NotFound, WrongState
from inventory.models import Delivery, WebhookEndpoint
from inventory.outbound import Answer
from inventory.security import Vault
from tests.factories import NOON
from tests.notices.conftest import Endpoint

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
    assert [row.body for row in after if row.topic == "own/A"] == [
        {"channel": "own", "channel_sku": "A", "quantity": 4, "revision": 3}
    ] * 2
    assert {row.body["quantity"] for row in after if row.topic == "own/B"} == {3}
    assert {row.event for row in after} == {"listing.quantity"}
    old = {row.message_id for row in before if row.topic == "own/A"}
    new = {row.message_id for row in after if row.topic == "own/A"}
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
        with pytest.raises(WrongState, match="newer number"):
            await deliveries.replay(session, due.id, NOON)
        await session.execute(update(WebhookEndpoint).values(active=False))
        with pytest.raises(WrongState, match="disabled"):
            await deliveries.replay(session, before[1][0], NOON)

    assert [(row.id, row.state, row.body) for row in await rows(database)] == before


async def test_ended_messages_are_kept_thirty_days(database: Database, endpoint: Endpoint) -> None:
    await endpoint()
    for state, days in (("delivered", 29), ("parked", 31), ("delivered", 31), ("pending", 31)):
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


async def test_secret_is_shown_once_and_stored_sealed(
    database: Database, endpoint: Endpoint, vault: Vault
) -> None:
    (first, secret), (_, other) = await endpoint(), await endpoint()

    assert secret.startswith("whsec_")
    assert secret != other
    assert secret[6:].encode() not in first.secret
    assert secret_of(vault, first.secret) == secret


async def test_endpoints_have_limits(database: Database, vault: Vault) -> None:
    async with database.transaction() as session:
        session.add_all(
            [WebhookEndpoint(url="https://a.example/", secret=b"") for _ in range(ENDPOINTS_MAX)]
        )
        await session.flush()
        for url, events in (
            ("https://b.example/", ()),
            ("https://10.0.0.1/", ()),
            ("https://b.example/", ["a.b"] * 51),
        ):
            with pytest.raises(BadInput):
                await add_endpoint(session, vault, url=url, events=events, networks=[])
        assert await session.scalar(select(func.count(WebhookEndpoint.id))) == ENDPOINTS_MAX
