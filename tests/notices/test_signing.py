"""Two kinds of signatures, and two sets of keys while one takes the place of the other."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import select
from standardwebhooks import Webhook, WebhookVerificationError

from inventory import deliveries
from inventory.db import Database
from inventory.errors import BadInput, NotFound, WrongState
from inventory.models import WebhookEndpoint
from inventory.outgoing import endpoints
from inventory.outgoing.endpoint_keys import rotate, secret_of
from inventory.outgoing.signing import Keys, new_keys, signature
from inventory.security import Vault
from tests.conftest import HandClock
from tests.notices.conftest import LOOPBACK, Endpoint
from tests.notices.receiver import Receiver, Request
from tests.notices.worker import Worker


def verified(public_key: str, request: Request) -> bool:
    """Whether one of the `v1a` signatures is by this key."""
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key.removeprefix("whpk_")))
    stamp = request.headers["webhook-timestamp"]
    signed = f"{request.headers['webhook-id']}.{stamp}.".encode() + request.body
    for one in request.headers["webhook-signature"].split():
        version, _, text = one.partition(",")
        if version == "v1a":
            try:
                key.verify(base64.b64decode(text), signed)
            except InvalidSignature:
                continue
            return True
    return False


def accepted(secret: str, request: Request) -> bool:
    """Whether the library of Standard Webhooks accepts it by this secret."""
    try:
        Webhook(secret).verify(request.body, dict(request.headers))
    except WebhookVerificationError:
        return False
    return True


async def test_both_signatures_can_be_verified(
    worker: Worker, receiver: Receiver, endpoint: Endpoint
) -> None:
    worker.clock.moment = datetime.now(UTC)
    hook, secret = await endpoint(receiver.url)
    await worker.sent()

    [request] = receiver.requests
    versions = [one.split(",")[0] for one in request.headers["webhook-signature"].split()]
    assert versions == ["v1", "v1a"]
    assert accepted(secret, request)
    assert hook.public_key is not None
    assert verified(hook.public_key, request)
    stranger = new_keys().public_key
    assert stranger is not None
    assert not verified(stranger, request)


async def test_two_signatures_live_for_the_stated_time_and_then_one(
    worker: Worker, receiver: Receiver, endpoint: Endpoint
) -> None:
    worker.clock.moment = datetime.now(UTC)
    hook, old = await endpoint(receiver.url)
    async with worker.database.transaction() as session:
        made, new = await rotate(
            session, worker.runtime.vault, hook.id, hours=24, now=worker.clock.now()
        )
    assert made.public_key_previous == hook.public_key
    assert made.previous_until == worker.clock.now() + timedelta(hours=24)

    found = []
    for later in (timedelta(0), timedelta(hours=23, minutes=59), timedelta(hours=24)):
        worker.clock.moment = made.previous_until - timedelta(hours=24) + later
        await worker.sent()
        request = receiver.requests[-1]
        count = len(request.headers["webhook-signature"].split())
        assert hook.public_key is not None
        assert made.public_key is not None
        found.append((count, verified(hook.public_key, request)))
        assert verified(made.public_key, request)
    assert found == [(4, True), (4, True), (2, False)]
    assert [accepted(secret, receiver.requests[0]) for secret in (old, new)] == [True, True]

    async with worker.database.transaction() as session:
        await deliveries.tidy(session, worker.clock.now())
        row = (await session.scalars(select(WebhookEndpoint))).one()
    assert (row.secret_previous, row.public_key_previous, row.previous_until) == (None,) * 3


async def test_a_second_rotation_leaves_two_and_one_of_no_hours_leaves_one(
    database: Database, endpoint: Endpoint, vault: Vault, clock: HandClock
) -> None:
    hook, first = await endpoint()
    now = clock.now()
    async with database.transaction() as session:
        _, second = await rotate(session, vault, hook.id, hours=1, now=now)
        row, third = await rotate(session, vault, hook.id, hours=168, now=now)
        assert row.secret_previous is not None
        assert secret_of(vault, row.secret_previous) == second
        row, _ = await rotate(session, vault, hook.id, hours=0, now=now)
        assert (row.secret_previous, row.public_key_previous, row.previous_until) == (None,) * 3
        assert len({first, second, third, secret_of(vault, row.secret)}) == 4


async def test_what_cannot_be_rotated_says_why(
    database: Database, endpoint: Endpoint, vault: Vault, clock: HandClock
) -> None:
    await endpoint()
    wanted = endpoints.NewEndpoint(kind="slack", url="https://hooks.slack.example/x")
    async with database.transaction() as session:
        room, _ = await endpoints.add(session, vault, wanted, LOOPBACK)
        for endpoint_id, hours, error in ((1, 169, BadInput), (room.id, 1, WrongState)):
            with pytest.raises(error):
                await rotate(session, vault, endpoint_id, hours=hours, now=clock.now())
        with pytest.raises(NotFound):
            await rotate(session, vault, 99, hours=1, now=clock.now())


def test_keys_are_never_in_a_repr() -> None:
    keys = new_keys()
    assert repr(keys) == "Keys()"
    now = datetime(2026, 11, 22, tzinfo=UTC)
    lone = signature([Keys(secret=keys.secret)], message_id="msg_1", now=now, content=b"{}")
    assert lone.startswith("v1,")
    assert " " not in lone


async def test_older_endpoints_are_sealed_when_a_worker_first_sends(
    worker: Worker, receiver: Receiver
) -> None:
    """As they are before the migration: the address in plain, a secret alone."""
    secret = new_keys().secret
    worker.clock.moment = datetime.now(UTC)
    async with worker.database.transaction() as session:
        sealed = worker.runtime.vault.seal({"secret": secret})
        session.add(WebhookEndpoint(url=receiver.url + "?key=canary", secret=sealed))
        session.add(WebhookEndpoint(url=receiver.url + "?key=canary", secret=b"unreadable"))
    await worker.sent()

    [request] = receiver.requests
    assert request.path == "/hook?key=canary"
    assert accepted(secret, request)
    async with worker.database.transaction() as session:
        rows = (await session.scalars(select(WebhookEndpoint).order_by(WebhookEndpoint.id))).all()
    assert [row.url for row in rows] == [f"http://127.0.0.1:{receiver.port}/…"] * 2
    assert rows[0].public_key is not None
    assert verified(rows[0].public_key, request)
    pool = await worker.database.pool()
    assert "canary" not in str(await pool.fetch("SELECT * FROM webhook_endpoint"))
