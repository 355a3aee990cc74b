"""An endpoint that said 410 once, and answers again."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from inventory.db import Database
from inventory.models import Alert
from inventory.outgoing import endpoints, removals, replays
from inventory.outgoing.dispatch import Verdict
from inventory.outgoing.outbound import Answer
from tests.factories import NOON
from tests.notices.conftest import Endpoint
from tests.notices.receiver import Receiver
from tests.notices.steps import DOWN, claim, end, queue
from tests.notices.worker import Worker


async def alerts(database: Database) -> list[tuple[str, str]]:
    async with database.transaction() as session:
        return [(row.kind, row.state) for row in await session.scalars(select(Alert))]


async def test_410_then_enabled_then_its_past_and_the_alert_is_over(
    worker: Worker, receiver: Receiver, endpoint: Endpoint
) -> None:
    receiver.answers = [(410, {}, b""), (204, {}, b"")]
    hook, _ = await endpoint(receiver.url, events=("alert.fired",))
    await worker.sent()
    await worker.put(2)
    worker.clock.moment += timedelta(hours=1)
    assert await worker.work() == 0
    assert await alerts(worker.database) == [("endpoint_disabled", "open")]

    async with worker.database.transaction() as session:
        await endpoints.enable(session, hook.id)
        found = await replays.replay_past(session, hook.id, now=worker.clock.now())
    assert await worker.work() == found.queued
    # The three that were said, and the alert about the endpoint itself.
    assert found.queued == 4
    assert {row[1:4] for row in await worker.log()} == {("delivered", 1, 204)}
    assert await alerts(worker.database) == [("endpoint_disabled", "closed")]


async def test_410_and_then_removed_leaves_nothing_to_mend(
    worker: Worker, receiver: Receiver, endpoint: Endpoint
) -> None:
    receiver.answers = [(410, {}, b"")]
    hook, _ = await endpoint(receiver.url)
    await worker.sent()
    assert await alerts(worker.database) == [("endpoint_disabled", "open")]

    async with worker.database.transaction() as session:
        await removals.remove(session, hook.id, worker.clock.now())

    assert await alerts(worker.database) == [("endpoint_disabled", "closed")]


async def test_what_fails_on_its_way_at_a_410_waits_until_the_endpoint_is_enabled(
    database: Database, endpoint: Endpoint
) -> None:
    hook, _ = await endpoint()
    for number in range(2):
        await queue(database, n=number)
    first, other = await claim(database)
    await end(database, first, Answer(status=410, failure="status_410"))
    assert await end(database, other, DOWN) is Verdict.WAITING
    later = NOON + timedelta(days=1)
    assert await claim(database, later) == []

    async with database.transaction() as session:
        await endpoints.enable(session, hook.id)

    [again] = await claim(database, later)
    assert again.id == other.id
