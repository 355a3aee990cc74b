"""One bad endpoint is nobody else's trouble: dead, silent, locked, and many of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from inventory import deliveries
from inventory.models import WebhookEndpoint
from inventory.outgoing.outbound import Outbound
from tests.notices.conftest import LOOPBACK, Endpoint
from tests.notices.receiver import Receiver
from tests.notices.worker import Worker
from workers import notify

DEAD_PORT_URL = "http://127.0.0.1:1/hook"


@pytest.fixture
async def patient(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Worker]:
    """A way out, and a run, that outlast these tests on a slow machine: only blocking ends them."""
    monkeypatch.setattr(notify, "CLAIM_SECONDS", 60.0)
    outbound = Outbound(LOOPBACK, total_seconds=60.0)
    yield replace(worker, outbound=outbound)
    await outbound.aclose()


async def test_dead_endpoint_does_not_block_the_living(
    patient: Worker, receiver: Receiver, endpoint: Endpoint
) -> None:
    """Thirty messages reach the living one, the last ten queued meanwhile, while the dead holds."""
    async with Receiver(hold=asyncio.Event()) as dead:
        await endpoint(dead.url)
        await endpoint(receiver.url)
        await patient.put(20)
        async with patient.working():
            await receiver.got(20)
            # By now the run has nothing left to do but to wait for the dead one.
            await asyncio.sleep(2 * notify.LOOK_SECONDS)
            await patient.put(10)
            await receiver.got(30)

        assert (len(dead.requests), dead.at_once_most) == (2, 2)
        assert receiver.at_once_most <= 2


async def test_many_dead_endpoints_leave_room_for_the_living(
    patient: Worker, receiver: Receiver, endpoint: Endpoint
) -> None:
    """Thirty dead ones that wait longer than the living: more than there are slots."""
    async with Receiver(hold=asyncio.Event()) as dead:
        for _ in range(30):
            await endpoint(dead.url)
        async with patient.database.transaction() as session:
            await session.execute(update(WebhookEndpoint).values(failing_since=patient.clock.now()))
        await patient.put()
        patient.clock.moment += timedelta(seconds=1)
        await endpoint(receiver.url, events=("stock.low",))
        async with patient.database.transaction() as session:
            await deliveries.enqueue(session, "stock.low", {}, patient.clock.now())
        async with patient.working():
            await receiver.got(1)
            await dead.got(notify.FAILING_AT_ONCE)
            async with patient.database.transaction() as session:
                await deliveries.enqueue(session, "stock.low", {}, patient.clock.now())
            await receiver.got(2)

        assert dead.at_once_most == notify.FAILING_AT_ONCE


async def test_silent_endpoints_take_no_slot_from_the_living(
    patient: Worker, receiver: Receiver, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many silent ones, not known to be failing yet, as there are slots for fresh tries."""
    monkeypatch.setattr(notify, "AT_ONCE", 4)
    async with Receiver(hold=asyncio.Event()) as dead:
        for _ in range(4):
            await endpoint(dead.url)
        await patient.put()
        await endpoint(receiver.url)
        await patient.put(5)
        async with patient.working():
            await receiver.got(5)

        assert dead.at_once_most <= 8


async def test_ring_is_heard_while_a_silent_endpoint_is_waited_for(
    patient: Worker, receiver: Receiver, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it the message would wait for the next look by the clock, here an hour."""
    monkeypatch.setattr(notify, "LOOK_SECONDS", 3_600.0)
    async with Receiver(hold=asyncio.Event()) as dead:
        await endpoint(dead.url)
        await patient.put()
        async with patient.working():
            await dead.got(1)
            await endpoint(receiver.url)
            for count in (1, 2, 3):
                await patient.put()
                assert await patient.work() == 0
                await receiver.got(count)


async def test_ring_is_heard_while_the_lease_is_given_back(
    worker: Worker, receiver: Receiver, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The holder has looked for the last time, and still holds it: the ringer is sent away."""
    await endpoint(receiver.url)
    lease = worker.runtime.lease
    rung: list[str] = []

    @asynccontextmanager
    async def late(name: str, *, seconds: float) -> AsyncIterator[bool]:
        async with lease(name, seconds=seconds) as mine:
            yield mine
            if mine and not rung:
                rung.append(name)
                await worker.put()
                assert await worker.work() == 0

    monkeypatch.setattr(worker.runtime, "lease", late)

    assert await worker.work() == 1
    assert len(receiver.requests) == 1


async def test_ring_that_comes_after_the_time_to_claim_calls_another_run(
    worker: Worker, receiver: Receiver, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    await endpoint(receiver.url)
    await worker.put()
    called: list[str] = []
    monkeypatch.setattr(worker.runtime, "ring", called.append)
    monkeypatch.setattr(notify, "CLAIM_SECONDS", 0.0)

    assert await worker.work() == 0
    assert called == ["notify"]
    assert receiver.requests == []


async def test_secret_that_cannot_be_opened_stops_only_its_own_endpoint(
    worker: Worker, receiver: Receiver, endpoint: Endpoint
) -> None:
    locked, _ = await endpoint(receiver.url)
    open_, _ = await endpoint(receiver.url)
    async with worker.database.transaction() as session:
        await session.execute(
            update(WebhookEndpoint).where(WebhookEndpoint.id == locked.id).values(secret=b"other")
        )
    await worker.sent()

    assert await worker.log() == [
        (locked.id, "pending", 1, None, "secret_unreadable"),
        (open_.id, "delivered", 1, 204, None),
    ]
    assert len(receiver.requests) == 1


async def test_closed_port_and_silence_are_retried(worker: Worker, endpoint: Endpoint) -> None:
    async with Receiver(hold=asyncio.Event()) as silent:
        closed, _ = await endpoint(DEAD_PORT_URL)
        quiet, _ = await endpoint(silent.url)
        await worker.put()
        outbound = Outbound(worker.runtime.settings.webhook_networks, total_seconds=1.0)
        await worker.work(outbound)

        assert await worker.log() == [
            (closed.id, "pending", 1, None, "no_connection"),
            (quiet.id, "pending", 1, None, "timeout"),
        ]


async def test_one_run_claims_at_a_time(
    worker: Worker, receiver: Receiver, endpoint: Endpoint
) -> None:
    await endpoint(receiver.url)
    await worker.put(6)

    done = await asyncio.gather(*(worker.work() for _ in range(5)))

    assert sorted(done) == [0, 0, 0, 0, 6]
    ids = [request.headers["webhook-id"] for request in receiver.requests]
    assert len(ids) == len(set(ids)) == 6


async def test_run_leaves_all_to_the_one_that_claims_already(
    worker: Worker, receiver: Receiver, endpoint: Endpoint
) -> None:
    await endpoint(receiver.url)
    await worker.put()

    async with worker.runtime.lease("notify", seconds=5):
        assert await worker.work() == 0
    assert receiver.connections == 0
    assert await worker.work() == 1
