"""Webhooks sent by the worker to real receivers on this machine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from standardwebhooks import Webhook, WebhookVerificationError

from inventory import deliveries
from inventory.db import Database
from inventory.models import Alert, Delivery, WebhookEndpoint
from inventory.outgoing.outbound import Outbound
from tests.conftest import HandClock
from tests.notices.conftest import Endpoint
from tests.notices.receiver import Receiver
from tests.notices.steps import log, put
from workers import notify
from workers.runtime import Runtime


async def test_message_is_signed_so_that_the_receiver_can_verify_it(
    runtime: Runtime,
    database: Database,
    clock: HandClock,
    outbound: Outbound,
    receiver: Receiver,
    endpoint: Endpoint,
) -> None:
    clock.moment = queued = datetime.now(UTC)
    hook, secret = await endpoint(receiver.url)
    await put(database, clock)
    clock.moment += timedelta(seconds=1)

    assert await notify.work(runtime, outbound=outbound) == 1

    [request] = receiver.requests
    message = Webhook(secret).verify(request.body, dict(request.headers))
    assert message["type"] == "alert.fired"
    assert datetime.fromisoformat(message["timestamp"]) == queued
    assert message["data"] == {"n": 0}
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-timestamp"] == str(int(clock.moment.timestamp()))
    assert await log(database) == [(hook.id, "delivered", 1, 204, None)]
    async with database.transaction() as session:
        row = (await session.scalars(select(Delivery))).one()
    assert (row.message_id, row.delivered_at) == (request.headers["webhook-id"], clock.moment)


async def test_nobody_else_can_sign_or_change_it(
    runtime: Runtime,
    database: Database,
    clock: HandClock,
    outbound: Outbound,
    receiver: Receiver,
    endpoint: Endpoint,
) -> None:
    clock.moment = datetime.now(UTC)
    _, secret = await endpoint(receiver.url)
    _, other = await endpoint()
    await put(database, clock)
    await notify.work(runtime, outbound=outbound)
    [request] = receiver.requests
    headers = dict(request.headers)

    for key, body, changed in (
        (other, request.body, {}),
        (secret, request.body.replace(b'"n":0', b'"n":1'), {}),
        (secret, request.body, {"webhook-id": "msg_other"}),
        (secret, request.body, {"webhook-timestamp": str(int(clock.moment.timestamp()) + 1)}),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(key).verify(body, headers | changed)


async def test_retry_has_the_same_id_and_a_new_time(
    runtime: Runtime,
    database: Database,
    clock: HandClock,
    outbound: Outbound,
    receiver: Receiver,
    endpoint: Endpoint,
) -> None:
    receiver.answers = [(500, {}, b"<secret of the receiver>"), (200, {}, b"fine")]
    hook, secret = await endpoint(receiver.url)
    await put(database, clock)

    assert await notify.work(runtime, outbound=outbound) == 1
    assert await log(database) == [(hook.id, "pending", 1, 500, "status_500")]
    assert await notify.work(runtime, outbound=outbound) == 0
    clock.moment += timedelta(seconds=6)
    assert await notify.work(runtime, outbound=outbound) == 1

    assert await log(database) == [(hook.id, "delivered", 2, 200, None)]
    first, second = receiver.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    times = [int(request.headers["webhook-timestamp"]) for request in receiver.requests]
    assert times[1] - times[0] == 6
    for request in receiver.requests:
        moment = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
        signed = Webhook(secret).sign(request.headers["webhook-id"], moment, request.body.decode())
        assert request.headers["webhook-signature"].split()[0] == signed


async def test_nothing_of_an_answer_is_stored(
    runtime: Runtime,
    database: Database,
    clock: HandClock,
    outbound: Outbound,
    receiver: Receiver,
    endpoint: Endpoint,
) -> None:
    receiver.answers = [(500, {"x-internal": "canary-1"}, b"canary-2")]
    await endpoint(receiver.url)
    await put(database, clock)
    await notify.work(runtime, outbound=outbound)

    pool = await database.pool()
    stored = str(await pool.fetch("SELECT * FROM delivery, webhook_endpoint"))
    assert "status_500" in stored
    assert "canary" not in stored


async def test_retry_after_is_honoured(
    runtime: Runtime,
    database: Database,
    clock: HandClock,
    outbound: Outbound,
    receiver: Receiver,
    endpoint: Endpoint,
) -> None:
    receiver.answers = [(429, {"retry-after": "300"}, b""), (200, {}, b"")]
    await endpoint(receiver.url)
    await put(database, clock)
    await notify.work(runtime, outbound=outbound)

    clock.moment += timedelta(seconds=299)
    assert await notify.work(runtime, outbound=outbound) == 0
    clock.moment += timedelta(seconds=1)
    assert await notify.work(runtime, outbound=outbound) == 1
    assert len(receiver.requests) == 2


async def test_410_disables_the_endpoint_and_tells_the_others(
    runtime: Runtime,
    database: Database,
    clock: HandClock,
    outbound: Outbound,
    receiver: Receiver,
    endpoint: Endpoint,
) -> None:
    async with Receiver(answers=[(410, {}, b"")]) as left:
        gone, _ = await endpoint(left.url)
        await endpoint(receiver.url, events=("alert.fired", "alert.closed"))
        await put(database, clock)
        assert await notify.work(runtime, outbound=outbound) == 3

        async with database.transaction() as session:
            alert = (await session.scalars(select(Alert))).one()
            assert (alert.kind, alert.subject, alert.state) == (
                "endpoint_disabled",
                f"endpoint:{gone.id}",
                "open",
            )
            assert not (await session.get_one(WebhookEndpoint, gone.id)).active
        assert len(receiver.requests) == 2
        assert b'"kind":"endpoint_disabled"' in receiver.requests[1].body

        # A person puts it right and sends the message again: the alert closes.
        left.answers = [(200, {}, b"")]
        async with database.transaction() as session:
            await session.execute(update(WebhookEndpoint).values(active=True))
            parked = (await session.scalars(select(Delivery.id).filter_by(state="parked"))).one()
            await deliveries.replay(session, parked, clock.now())
        await notify.work(runtime, outbound=outbound)
        async with database.transaction() as session:
            assert (await session.scalars(select(Alert.state))).all() == ["closed"]
        assert b'"type":"alert.closed"' in receiver.requests[2].body


async def test_redirect_is_not_followed(
    runtime: Runtime,
    database: Database,
    clock: HandClock,
    outbound: Outbound,
    receiver: Receiver,
    endpoint: Endpoint,
) -> None:
    async with Receiver() as other:
        receiver.answers = [(307, {"location": other.url}, b"")]
        hook, _ = await endpoint(receiver.url)
        await put(database, clock)
        await notify.work(runtime, outbound=outbound)

        assert await log(database) == [(hook.id, "pending", 1, 307, "redirect")]
        assert other.connections == 0


async def test_address_that_became_private_is_not_reached_and_tried_again(
    runtime: Runtime,
    database: Database,
    clock: HandClock,
    receiver: Receiver,
    endpoint: Endpoint,
) -> None:
    addresses = [["10.0.0.5"], ["127.0.0.1"]]

    async def resolver(host: str, port: int) -> list[str]:
        return addresses.pop(0)

    hook, _ = await endpoint(f"http://shop.example:{receiver.port}/hook")
    await put(database, clock)
    outbound = Outbound(runtime.settings.webhook_networks, resolver=resolver)

    await notify.work(runtime, outbound=outbound)
    assert await log(database) == [(hook.id, "pending", 1, None, "address_refused")]
    assert receiver.connections == 0
    clock.moment += timedelta(seconds=6)
    await notify.work(runtime, outbound=outbound)
    assert await log(database) == [(hook.id, "delivered", 2, 204, None)]


async def test_worker_reaches_only_the_networks_of_its_settings(
    runtime: Runtime,
    database: Database,
    clock: HandClock,
    receiver: Receiver,
    endpoint: Endpoint,
) -> None:
    """Without a way out handed in, the worker makes its own from the settings: loopback here."""
    here, _ = await endpoint(receiver.url)
    elsewhere, _ = await endpoint("https://shop.example/")
    async with database.transaction() as session:
        await session.execute(
            update(WebhookEndpoint)
            .where(WebhookEndpoint.id == elsewhere.id)
            .values(address=runtime.vault.seal({"url": "https://10.0.0.1/"}))
        )
    await put(database, clock)

    assert await notify.work(runtime) == 2

    assert sorted(await log(database)) == [
        (here.id, "delivered", 1, 204, None),
        (elsewhere.id, "pending", 1, None, "address_refused"),
    ]


async def test_newest_number_reaches_the_store(
    runtime: Runtime,
    database: Database,
    clock: HandClock,
    outbound: Outbound,
    receiver: Receiver,
    endpoint: Endpoint,
) -> None:
    clock.moment = datetime.now(UTC)
    _, secret = await endpoint(receiver.url, events=("listing.quantity",))
    for revision, quantity in ((7, 5), (8, 3), (9, 0)):
        async with database.transaction() as session:
            await deliveries.enqueue_quantity(
                session,
                channel="own",
                channel_sku="A-1",
                quantity=quantity,
                revision=revision,
                now=clock.now(),
            )

    assert await notify.work(runtime, outbound=outbound) == 1

    [request] = receiver.requests
    message: dict[str, Any] = Webhook(secret).verify(request.body, dict(request.headers))
    assert message["type"] == "listing.quantity"
    assert message["data"] == {
        "channel": "own",
        "channel_sku": "A-1",
        "quantity": 0,
        "revision": 9,
    }
