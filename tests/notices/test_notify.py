"""Webhooks sent by the worker to real receivers on this machine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from standardwebhooks import Webhook, WebhookVerificationError

from inventory import deliveries
from inventory.models import Alert, Delivery, WebhookEndpoint
from inventory.outgoing.outbound import Outbound
from tests.notices.conftest import Endpoint
from tests.notices.receiver import Receiver
from tests.notices.worker import Worker
from workers import notify


async def test_message_is_signed_so_that_the_receiver_can_verify_it(
    worker: Worker, receiver: Receiver, endpoint: Endpoint
) -> None:
    worker.clock.moment = queued = datetime.now(UTC)
    hook, secret = await endpoint(receiver.url)
    await worker.put()
    worker.clock.moment += timedelta(seconds=1)

    assert await worker.work() == 1

    [request] = receiver.requests
    message = Webhook(secret).verify(request.body, dict(request.headers))
    assert message["type"] == "alert.fired"
    assert datetime.fromisoformat(message["timestamp"]) == queued
    assert message["data"] == {"n": 0}
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-timestamp"] == str(int(worker.clock.moment.timestamp()))
    assert await worker.log() == [(hook.id, "delivered", 1, 204, None)]
    async with worker.database.transaction() as session:
        row = (await session.scalars(select(Delivery))).one()
    assert (row.message_id, row.delivered_at) == (
        request.headers["webhook-id"],
        worker.clock.moment,
    )


async def test_nobody_else_can_sign_or_change_it(
    worker: Worker, receiver: Receiver, endpoint: Endpoint
) -> None:
    worker.clock.moment = datetime.now(UTC)
    _, secret = await endpoint(receiver.url)
    _, other = await endpoint()
    await worker.sent()
    [request] = receiver.requests
    headers = dict(request.headers)

    for key, body, changed in (
        (other, request.body, {}),
        (secret, request.body.replace(b'"n":0', b'"n":1'), {}),
        (secret, request.body, {"webhook-id": "msg_other"}),
        (
            secret,
            request.body,
            {"webhook-timestamp": str(int(worker.clock.moment.timestamp()) + 1)},
        ),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(key).verify(body, headers | changed)


async def test_retry_has_the_same_id_and_a_new_time(
    worker: Worker, receiver: Receiver, endpoint: Endpoint
) -> None:
    receiver.answers = [(500, {}, b"<secret of the receiver>"), (200, {}, b"fine")]
    hook, secret = await endpoint(receiver.url)
    await worker.put()

    assert await worker.work() == 1
    assert await worker.log() == [(hook.id, "pending", 1, 500, "status_500")]
    assert await worker.work() == 0
    worker.clock.moment += timedelta(seconds=6)
    assert await worker.work() == 1

    assert await worker.log() == [(hook.id, "delivered", 2, 200, None)]
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
    worker: Worker, receiver: Receiver, endpoint: Endpoint
) -> None:
    receiver.answers = [(500, {"x-internal": "canary-1"}, b"canary-2")]
    await endpoint(receiver.url)
    await worker.sent()

    pool = await worker.database.pool()
    stored = str(await pool.fetch("SELECT * FROM delivery, webhook_endpoint"))
    assert "status_500" in stored
    assert "canary" not in stored


async def test_retry_after_is_honoured(
    worker: Worker, receiver: Receiver, endpoint: Endpoint
) -> None:
    receiver.answers = [(429, {"retry-after": "300"}, b""), (200, {}, b"")]
    await endpoint(receiver.url)
    await worker.sent()

    worker.clock.moment += timedelta(seconds=299)
    assert await worker.work() == 0
    worker.clock.moment += timedelta(seconds=1)
    assert await worker.work() == 1
    assert len(receiver.requests) == 2


async def test_410_disables_the_endpoint_and_tells_the_others(
    worker: Worker, receiver: Receiver, endpoint: Endpoint
) -> None:
    async with Receiver(answers=[(410, {}, b"")]) as left:
        gone, _ = await endpoint(left.url)
        await endpoint(receiver.url, events=("alert.fired", "alert.closed"))
        await worker.put()
        assert await worker.work() == 3

        async with worker.database.transaction() as session:
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
        async with worker.database.transaction() as session:
            await session.execute(update(WebhookEndpoint).values(active=True))
            parked = (await session.scalars(select(Delivery.id).filter_by(state="parked"))).one()
            await deliveries.replay(session, parked, worker.clock.now())
        await worker.work()
        async with worker.database.transaction() as session:
            assert (await session.scalars(select(Alert.state))).all() == ["closed"]
        assert b'"type":"alert.closed"' in receiver.requests[2].body


async def test_redirect_is_not_followed(
    worker: Worker, receiver: Receiver, endpoint: Endpoint
) -> None:
    async with Receiver() as other:
        receiver.answers = [(307, {"location": other.url}, b"")]
        hook, _ = await endpoint(receiver.url)
        await worker.sent()

        assert await worker.log() == [(hook.id, "pending", 1, 307, "redirect")]
        assert other.connections == 0


async def test_address_that_became_private_is_not_reached_and_tried_again(
    worker: Worker, receiver: Receiver, endpoint: Endpoint
) -> None:
    addresses = [["10.0.0.5"], ["127.0.0.1"]]

    async def resolver(host: str, port: int) -> list[str]:
        return addresses.pop(0)

    hook, _ = await endpoint(f"http://shop.example:{receiver.port}/hook")
    await worker.put()
    outbound = Outbound(worker.runtime.settings.webhook_networks, resolver=resolver)

    await worker.work(outbound)
    assert await worker.log() == [(hook.id, "pending", 1, None, "address_refused")]
    assert receiver.connections == 0
    worker.clock.moment += timedelta(seconds=6)
    await worker.work(outbound)
    assert await worker.log() == [(hook.id, "delivered", 2, 204, None)]


async def test_worker_reaches_only_the_networks_of_its_settings(
    worker: Worker, receiver: Receiver, endpoint: Endpoint
) -> None:
    """Without a way out handed in, the worker makes its own from the settings: loopback here."""
    here, _ = await endpoint(receiver.url)
    elsewhere, _ = await endpoint("https://shop.example/")
    async with worker.database.transaction() as session:
        await session.execute(
            update(WebhookEndpoint)
            .where(WebhookEndpoint.id == elsewhere.id)
            .values(address=worker.runtime.vault.seal({"url": "https://10.0.0.1/"}))
        )
    await worker.put()

    assert await notify.work(worker.runtime) == 2

    assert sorted(await worker.log()) == [
        (here.id, "delivered", 1, 204, None),
        (elsewhere.id, "pending", 1, None, "address_refused"),
    ]


async def test_newest_number_reaches_the_store(
    worker: Worker, receiver: Receiver, endpoint: Endpoint
) -> None:
    worker.clock.moment = datetime.now(UTC)
    _, secret = await endpoint(receiver.url, events=("listing.quantity",))
    for revision, quantity in ((7, 5), (8, 3), (9, 0)):
        async with worker.database.transaction() as session:
            await deliveries.enqueue_quantity(
                session,
                channel="own",
                channel_sku="A-1",
                quantity=quantity,
                revision=revision,
                now=worker.clock.now(),
            )

    assert await worker.work() == 1

    [request] = receiver.requests
    message: dict[str, Any] = Webhook(secret).verify(request.body, dict(request.headers))
    assert message["type"] == "listing.quantity"
    assert message["data"] == {
        "channel": "own",
        "channel_sku": "A-1",
        "quantity": 0,
        "revision": 9,
    }
