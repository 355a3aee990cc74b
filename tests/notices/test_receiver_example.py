"""The receiver in the documents: both signatures, repeats dropped, older words not believed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from inventory import deliveries
from inventory.db import Database
from inventory.models import Delivery
from inventory.outgoing import endpoint_keys
from inventory.outgoing.outbound import Outbound
from inventory.outgoing.signing import Keys, new_keys, signature
from tests.conftest import HandClock
from tests.documents import example
from tests.notices.conftest import Endpoint
from tests.notices.steps import number
from workers import notify
from workers.runtime import Runtime

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
BODY = b'{"type":"alert.fired","version":3,"topic":"a","data":{}}'


@pytest.fixture
def listening() -> Iterator[Any]:
    """The example, listening on this machine."""
    with example("webhook_receiver").Receiver("") as receiver:
        thread = threading.Thread(target=receiver.serve_forever)
        thread.start()
        yield receiver
        receiver.shutdown()
        thread.join()


def headers(keys: list[Keys], body: bytes = BODY, now: datetime = NOW) -> dict[str, str]:
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature(keys, message_id="msg_1", now=now, content=body),
    }


def believed(keys: str, told: dict[str, str], body: bytes = BODY) -> bool:
    receiver = example("webhook_receiver")
    try:
        receiver.verify(keys, told, body, now=NOW.timestamp())
    except receiver.SignatureWrong:
        return False
    return True


def test_either_key_alone_verifies_and_no_other_does() -> None:
    ours, other = new_keys(), new_keys()
    told = headers([ours])
    for key, expected in (
        (ours.secret, True),
        (ours.public_key, True),
        (f"{other.secret} {ours.secret}", True),
        (f"{other.public_key} {ours.public_key}", True),
        (other.secret, False),
        (other.public_key, False),
        ("", False),
        ("whsec_", False),
    ):
        assert believed(str(key), told) is expected
        assert not believed(str(key), told, BODY + b" ")
        assert not believed(str(key), told | {"webhook-id": "msg_2"})
        assert not believed(str(key), headers([ours], now=NOW - timedelta(minutes=6)))


def test_while_keys_are_replaced_both_are_believed() -> None:
    new, old = new_keys(), new_keys()
    told = headers([new, old])
    for key in (new.secret, old.secret, new.public_key, old.public_key):
        assert believed(str(key), told)


@pytest.mark.parametrize(
    "signatures", ["", "v1", "v1,", "v1a,AAAA", "v2,x v1a", "v1a,\u00e9", "x" * 99]
)
def test_odd_signatures_are_wrong_and_nothing_worse(signatures: str) -> None:
    keys = new_keys()
    for key in (keys.secret, str(keys.public_key)):
        assert not believed(key, headers([keys]) | {"webhook-signature": signatures})
        assert not believed(key, {})
        assert not believed(key, headers([keys]) | {"webhook-timestamp": "soon"})


async def test_through_the_worker_with_the_public_key_alone(
    listening: Any,
    runtime: Runtime,
    database: Database,
    clock: HandClock,
    outbound: Outbound,
    endpoint: Endpoint,
) -> None:
    """Sent, sent again (a repeat), and after a newer number has come, an older one."""
    clock.moment = datetime.now(UTC)
    hook, _ = await endpoint(f"http://127.0.0.1:{listening.server_address[1]}/")
    listening.keys = hook.public_key
    for revision in (5, 6):
        await number(database, 10 - revision, revision, now=clock.now())
        await notify.work(runtime, outbound=outbound)
    async with database.transaction() as session:
        await deliveries.replay(session, 2, clock.now())
    await notify.work(runtime, outbound=outbound)
    await number(database, 99, 4, now=clock.now())
    await notify.work(runtime, outbound=outbound)

    assert [message["version"] for message in listening.messages] == [5, 6]
    assert (listening.quantities, len(listening.seen)) == ({"A": 4}, 3)
    async with database.transaction() as session:
        for row_id in (1, 2, 3):
            assert (await session.get_one(Delivery, row_id)).last_status == 204


async def test_after_a_rotation_the_old_key_is_believed_for_its_time(
    listening: Any,
    runtime: Runtime,
    database: Database,
    clock: HandClock,
    outbound: Outbound,
    endpoint: Endpoint,
) -> None:
    clock.moment = datetime.now(UTC)
    hook, listening.keys = await endpoint(f"http://127.0.0.1:{listening.server_address[1]}/")
    async with database.transaction() as session:
        await endpoint_keys.rotate(session, runtime.vault, hook.id, hours=24, now=clock.now())
    async with database.transaction() as session:
        await deliveries.enqueue(session, "a.b", {}, clock.now())
    await notify.work(runtime, outbound=outbound)
    assert len(listening.messages) == 1

    async with database.transaction() as session:
        await endpoint_keys.rotate(session, runtime.vault, hook.id, hours=0, now=clock.now())
        await deliveries.enqueue(session, "a.b", {}, clock.now())
    await notify.work(runtime, outbound=outbound)
    assert len(listening.messages) == 1
    async with database.transaction() as session:
        assert (await session.get_one(Delivery, 2)).last_failure == "status_401"
