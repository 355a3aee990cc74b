"""Claiming what is due and recording what came of it; the clock is passed in, nothing sleeps."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from inventory import deliveries
from inventory.db import Database
from inventory.models import Delivery, WebhookEndpoint
from inventory.outgoing.dispatch import WAITS, Due, Verdict, due, payload, record
from inventory.outgoing.outbound import Answer
from tests.factories import NOON
from tests.notices.conftest import Endpoint
from tests.notices.steps import DOWN, OK

HOUR = 3_600


class Queue:
    """The queue as a worker sees it, at times that a test names."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def put(self, count: int = 1, now: datetime = NOON) -> None:
        for number in range(count):
            async with self.database.transaction() as session:
                await deliveries.enqueue(session, "alert.fired", {"n": number}, now)

    async def claim(
        self, now: datetime = NOON, limit: int = 20, failing_max: int | None = None
    ) -> list[Due]:
        async with self.database.transaction() as session:
            return await due(session, now, limit, failing_max=failing_max)

    async def end(
        self, claimed: Due, answer: Answer, now: datetime = NOON, *, chance: float = 0.0
    ) -> Verdict:
        async with self.database.transaction() as session:
            return await record(
                session, claimed, answer, now, milliseconds=7, chance=lambda: chance
            )

    async def rows(self) -> list[Delivery]:
        async with self.database.transaction() as session:
            return list(await session.scalars(select(Delivery).order_by(Delivery.id)))

    async def endpoint(self) -> WebhookEndpoint:
        async with self.database.transaction() as session:
            return (await session.scalars(select(WebhookEndpoint))).one()


@pytest.fixture
def queue(database: Database) -> Queue:
    """An empty queue."""
    return Queue(database)


def test_waits_are_as_promised() -> None:
    assert WAITS[:10] == (5, 30, 120, 600, 1800, HOUR, 2 * HOUR, 5 * HOUR, 10 * HOUR, 24 * HOUR)
    assert sum(WAITS) >= 75 * HOUR


async def test_message_is_tried_over_75_hours_then_parked(queue: Queue, endpoint: Endpoint) -> None:
    await endpoint()
    await queue.put()
    now, waits = NOON, []
    while claimed := await queue.claim(now):
        assert await queue.claim(now) == []
        verdict = await queue.end(claimed[0], DOWN, now, chance=0.5)
        if verdict is Verdict.PARKED:
            break
        assert verdict is Verdict.WAITING
        [row] = await queue.rows()
        waits.append((row.due_at - now).total_seconds())
        assert await queue.claim(row.due_at - timedelta(microseconds=1)) == []
        now = row.due_at

    assert waits == pytest.approx([wait * 1.1 for wait in WAITS])
    [row] = await queue.rows()
    assert (row.state, row.attempts) == ("parked", 13)
    assert (row.last_status, row.last_failure) == (503, "status_503")
    assert await queue.claim(now + timedelta(days=30)) == []


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 5.0), (0.5, 5.5), (1.0, 6.0)])
async def test_jitter_only_makes_a_wait_longer(
    queue: Queue, endpoint: Endpoint, chance: float, seconds: float
) -> None:
    await endpoint()
    await queue.put()
    [claimed] = await queue.claim()

    await queue.end(claimed, DOWN, chance=chance)

    [row] = await queue.rows()
    assert row.due_at == NOON + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("120", 120),
        ("3", 5),
        ("99999999999", 24 * HOUR),
        ("Sat, 21 Nov 2026 12:10:00 GMT", 600),
        ("nonsense", 5),
    ],
)
async def test_retry_after_makes_a_wait_longer_within_bounds(
    queue: Queue, endpoint: Endpoint, asked: str, seconds: int
) -> None:
    await endpoint()
    await queue.put()
    [claimed] = await queue.claim()

    answer = Answer(status=429, failure="status_429", retry_after=asked)
    assert await queue.end(claimed, answer) is Verdict.WAITING

    [row] = await queue.rows()
    assert row.due_at == NOON + timedelta(seconds=seconds)


async def test_success_ends_it(queue: Queue, endpoint: Endpoint) -> None:
    await endpoint()
    await queue.put()
    [claimed] = await queue.claim()
    later = NOON + timedelta(seconds=1)

    assert await queue.end(claimed, OK, later) is Verdict.DELIVERED

    [row] = await queue.rows()
    assert (row.state, row.attempts, row.delivered_at) == ("delivered", 1, later)
    assert (row.last_status, row.last_failure, row.leased_until) == (204, None, None)
    assert (await queue.endpoint()).failing_since is None
    assert await queue.claim(NOON + timedelta(days=3)) == []


async def test_410_disables_the_endpoint_and_parks_what_waits_for_it(
    queue: Queue, endpoint: Endpoint
) -> None:
    await endpoint()
    await queue.put(4)
    gone, other = await queue.claim()

    assert await queue.end(gone, Answer(status=410, failure="status_410")) is Verdict.DISABLED

    assert not (await queue.endpoint()).active
    assert sorted((row.state, row.last_failure or "") for row in await queue.rows()) == [
        ("parked", "endpoint_disabled"),
        ("parked", "endpoint_disabled"),
        ("parked", "status_410"),
        ("pending", ""),
    ]
    # The one that was on its way then is recorded as it ended.
    assert await queue.end(other, OK) is Verdict.DELIVERED
    async with queue.database.transaction() as session:
        assert await deliveries.enqueue(session, "alert.fired", {}, NOON) == 0
    assert await queue.claim(NOON + timedelta(days=30)) == []


async def test_sender_that_died_loses_its_lease_after_a_minute(
    queue: Queue, endpoint: Endpoint
) -> None:
    await endpoint()
    await queue.put()
    [lost] = await queue.claim()
    assert await queue.claim(NOON + timedelta(seconds=59)) == []

    later = NOON + timedelta(seconds=60)
    [again] = await queue.claim(later)

    assert (lost.attempts, again.attempts) == (1, 2)
    assert lost.message_id == again.message_id
    assert await queue.end(lost, DOWN, later) is Verdict.OUTDATED
    assert await queue.end(again, OK, later) is Verdict.DELIVERED
    assert await queue.end(lost, DOWN, later) is Verdict.OUTDATED
    [row] = await queue.rows()
    assert (row.state, row.last_status) == ("delivered", 204)


async def test_ten_claimers_at_once_get_each_message_once(queue: Queue, endpoint: Endpoint) -> None:
    for _ in range(10):
        await endpoint()
    await queue.put(2)

    claims = await asyncio.gather(*(queue.claim(limit=5) for _ in range(10)))

    ids = [claimed.id for claim in claims for claimed in claim]
    assert len(ids) == len(set(ids))
    rest = [claimed.id for _ in range(4) for claimed in await queue.claim(limit=5)]
    assert sorted(ids + rest) == [row.id for row in await queue.rows()]


async def test_two_at_once_per_endpoint_whoever_claims(queue: Queue, endpoint: Endpoint) -> None:
    await endpoint()
    await queue.put(5)

    first, second = await queue.claim()
    assert await queue.claim() == []
    await queue.end(first, OK)
    [third] = await queue.claim()
    assert await queue.claim() == []

    numbers = [claimed.body["n"] for claimed in (first, second, third)]
    assert numbers == [0, 1, 2]


async def test_claim_that_is_not_committed_yet_counts_already(
    queue: Queue, endpoint: Endpoint
) -> None:
    await endpoint()
    await queue.put(10)

    async with queue.database.transaction() as session:
        assert len(await due(session, NOON, 20)) == 2
        assert await queue.claim() == []
    assert await queue.claim() == []


async def test_failing_endpoint_gets_one_try_at_a_time_and_comes_last(
    queue: Queue, endpoint: Endpoint
) -> None:
    dead, _ = await endpoint()
    await queue.put(3)
    [one, two] = await queue.claim()
    await queue.end(one, DOWN)
    await queue.end(two, DOWN)
    living, _ = await endpoint()
    await queue.put(2, now=NOON + timedelta(seconds=9))

    claimed = await queue.claim(NOON + timedelta(seconds=10))

    assert [due.endpoint_id for due in claimed] == [living.id, living.id, dead.id]
    assert claimed[2].failing_since == NOON


async def test_failing_endpoints_take_no_more_than_their_share(
    queue: Queue, endpoint: Endpoint
) -> None:
    for _ in range(6):
        await endpoint()
    await queue.put()
    async with queue.database.transaction() as session:
        await session.execute(
            update(WebhookEndpoint).where(WebhookEndpoint.id <= 4).values(failing_since=NOON)
        )

    claimed = await queue.claim(failing_max=3)

    assert [due.failing_since is None for due in claimed].count(True) == 2
    assert len(claimed) == 5
    assert len(await queue.claim(limit=1)) == 1


async def test_first_good_answer_calls_everything_that_waited(
    queue: Queue, endpoint: Endpoint
) -> None:
    await endpoint()
    await queue.put(3)
    async with queue.database.transaction() as session:
        await session.execute(update(WebhookEndpoint).values(failing_since=NOON))
        await session.execute(
            update(Delivery)
            .where(Delivery.id != 1)
            .values(attempts=9, due_at=NOON + timedelta(hours=10))
        )
    [probe] = await queue.claim()

    await queue.end(probe, OK)

    assert (await queue.endpoint()).failing_since is None
    assert [claimed.attempts for claimed in await queue.claim()] == [10, 10]


async def test_failing_since_is_the_first_failure(queue: Queue, endpoint: Endpoint) -> None:
    await endpoint()
    await queue.put()
    for seconds in (0, 10):
        now = NOON + timedelta(seconds=seconds)
        [claimed] = await queue.claim(now)
        await queue.end(claimed, DOWN, now)

    assert (await queue.endpoint()).failing_since == NOON


async def test_payload_has_the_shape_of_standard_webhooks(queue: Queue, endpoint: Endpoint) -> None:
    await endpoint("https://shop.example/hook?key=secret-in-the-address")
    await queue.put()
    [claimed] = await queue.claim(NOON + timedelta(hours=1))

    assert payload(claimed) == (
        b'{"type":"alert.fired","timestamp":"2026-11-21T12:00:00Z","version":1,"topic":null,'
        b'"data":{"n":0}}'
    )
    assert "secret-in-the-address" not in repr(claimed)
