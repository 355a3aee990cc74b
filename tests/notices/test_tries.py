"""The log of a delivery keeps every try, and nothing of an answer or an address."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from sqlalchemy import update

from inventory import deliveries
from inventory.db import Database
from inventory.models import Delivery
from inventory.outgoing import tries
from inventory.outgoing.outbound import Answer
from inventory.outgoing.replays import replay_past
from inventory.outgoing.tries import TRIES_MAX, Try
from tests.factories import NOON
from tests.notices.conftest import Endpoint
from tests.notices.receiver import Receiver
from tests.notices.steps import DOWN, OK, claim, end, number, queue, rows
from tests.notices.worker import Worker

# What `steps.end` says that a try took.
TOOK = 7


async def kept(database: Database) -> list[list[Try]]:
    return [tries.read(row.tries) for row in await rows(database)]


async def test_worker_notes_when_each_try_was_how_long_it_took_and_what_came(
    worker: Worker, receiver: Receiver, endpoint: Endpoint
) -> None:
    receiver.answers = [(500, {"x-internal": "canary"}, b"canary"), (204, {}, b"canary")]
    receiver.hold = asyncio.Event()
    await endpoint(f"{receiver.url}?key=canary")
    await worker.put()
    start = worker.clock.now()

    async with asyncio.TaskGroup() as group:
        group.create_task(worker.work())
        await receiver.got(1)
        asyncio.get_running_loop().call_later(0.05, receiver.hold.set)
    worker.clock.moment += timedelta(seconds=6)
    await worker.work()

    [[first, second]] = await kept(worker.database)
    assert first.milliseconds is not None
    assert second.milliseconds is not None
    assert first.milliseconds >= 50
    assert (first.at, first.status, first.failure) == (start, 500, "status_500")
    assert (second.at, second.status, second.failure) == (worker.clock.now(), 204, None)
    assert (first.version, second.version) == (1, 1)
    assert "canary" not in str((await rows(worker.database))[0].tries)


async def test_try_whose_sender_died_is_in_the_log_without_an_end(
    database: Database, endpoint: Endpoint
) -> None:
    await endpoint()
    await queue(database)
    [lost] = await claim(database)
    assert await kept(database) == [[Try(at=NOON, version=1)]]
    later = NOON + timedelta(minutes=2)
    [due] = await claim(database, later)
    await end(database, lost, DOWN, later)

    await end(database, due, OK, later)

    ended = Try(at=later, version=1, status=204, milliseconds=TOOK)
    assert await kept(database) == [[Try(at=NOON, version=1), ended]]


async def test_no_more_than_the_newest_tries_are_kept(
    database: Database, endpoint: Endpoint
) -> None:
    await endpoint()
    await queue(database)
    for minute in range(TRIES_MAX + 2):
        now = NOON + timedelta(minutes=minute)
        async with database.transaction() as session:
            [row] = await rows(database)
            await deliveries.replay(session, row.id, now)
        [due] = await claim(database, now)
        await end(database, due, DOWN, now)
        if due.attempts == 13:
            async with database.transaction() as session:
                await session.execute(update(Delivery).values(state="delivered"))

    [found] = await kept(database)
    assert [each.at for each in found] == [
        NOON + timedelta(minutes=minute) for minute in range(2, TRIES_MAX + 2)
    ]
    assert {each.status for each in found} == {503}


async def test_tries_say_which_version_they_were_of(database: Database, endpoint: Endpoint) -> None:
    await endpoint()
    await number(database, 5, 1)
    [due] = await claim(database)
    await end(database, due, DOWN)
    later = NOON + timedelta(minutes=5)
    await number(database, 4, 2, now=later)
    [due] = await claim(database, later)
    await number(database, 3, 3, now=later)

    await end(database, due, OK, later)

    sent, waiting = await rows(database)
    assert (sent.version, waiting.version, waiting.tries) == (2, 3, [])
    assert tries.read(sent.tries) == [
        Try(at=NOON, version=1, status=503, failure="status_503", milliseconds=TOOK),
        Try(at=later, version=2, status=204, milliseconds=TOOK),
    ]


async def test_message_that_is_sent_again_keeps_the_tries_it_had(
    database: Database, endpoint: Endpoint
) -> None:
    made, _ = await endpoint()
    for event in ("a.b", "c.d"):
        await queue(database, event)
    for due in await claim(database):
        await end(database, due, OK)
    before = await kept(database)
    later = NOON + timedelta(hours=1)
    async with database.transaction() as session:
        assert (await replay_past(session, made.id, now=later)).queued == 2
    assert await kept(database) == before
    # They wait their turn behind what was due before.
    assert {row.due_at for row in await rows(database)} == {later}

    gone = Answer(status=None, failure="timeout")
    for due in await claim(database, later):
        await end(database, due, gone, later)

    last = Try(at=later, version=1, failure="timeout", milliseconds=TOOK)
    assert (await kept(database))[0] == [*before[0], last]


async def test_try_that_an_older_release_claimed_is_noted_when_it_ends(
    database: Database, endpoint: Endpoint
) -> None:
    await endpoint()
    await queue(database)
    [due] = await claim(database)
    async with database.transaction() as session:
        await session.execute(update(Delivery).values(tries=[]))

    await end(database, due, OK)

    begun = NOON - timedelta(milliseconds=TOOK)
    assert await kept(database) == [[Try(at=begun, version=1, status=204, milliseconds=TOOK)]]
