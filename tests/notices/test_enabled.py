"""An endpoint that said 410 once, and answers again."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from inventory.db import Database
from inventory.models import Alert
from inventory.outgoing import endpoints, removals, replays
from inventory.outgoing.outbound import Outbound
from tests.conftest import HandClock
from tests.notices.conftest import Endpoint
from tests.notices.receiver import Receiver
from tests.notices.steps import log, put
from workers import notify
from workers.runtime import Runtime


async def alerts(database: Database) -> list[tuple[str, str]]:
    async with database.transaction() as session:
        return [(row.kind, row.state) for row in await session.scalars(select(Alert))]


async def test_410_then_enabled_then_its_past_and_the_alert_is_over(
    runtime: Runtime,
    database: Database,
    clock: HandClock,
    outbound: Outbound,
    receiver: Receiver,
    endpoint: Endpoint,
) -> None:
    receiver.answers = [(410, {}, b""), (204, {}, b"")]
    hook, _ = await endpoint(receiver.url, events=("alert.fired",))
    await put(database, clock)
    await notify.work(runtime, outbound=outbound)
    await put(database, clock, 2)
    clock.moment += timedelta(hours=1)
    assert await notify.work(runtime, outbound=outbound) == 0
    assert await alerts(database) == [("endpoint_disabled", "open")]

    async with database.transaction() as session:
        await endpoints.enable(session, hook.id)
        found = await replays.replay_past(session, hook.id, now=clock.now())
    assert await notify.work(runtime, outbound=outbound) == found.queued
    # The three that were said, and the alert about the endpoint itself.
    assert found.queued == 4
    assert {row[1:4] for row in await log(database)} == {("delivered", 1, 204)}
    assert await alerts(database) == [("endpoint_disabled", "closed")]


async def test_410_and_then_removed_leaves_nothing_to_mend(
    runtime: Runtime,
    database: Database,
    clock: HandClock,
    outbound: Outbound,
    receiver: Receiver,
    endpoint: Endpoint,
) -> None:
    receiver.answers = [(410, {}, b"")]
    hook, _ = await endpoint(receiver.url)
    await put(database, clock)
    await notify.work(runtime, outbound=outbound)
    assert await alerts(database) == [("endpoint_disabled", "open")]

    async with database.transaction() as session:
        await removals.remove(session, hook.id, clock.now())

    assert await alerts(database) == [("endpoint_disabled", "closed")]
