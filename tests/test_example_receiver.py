"""The example receiver of webhooks, beside what we really send."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from inventory import deliveries
from inventory.clock import Clock
from inventory.config import Settings
from inventory.db import Database
from inventory.outgoing.endpoints import add_endpoint
from tests.documents import example
from workers import notify
from workers.runtime import Runtime

LOOPBACK = (ip_network("127.0.0.0/8"),)


@pytest.fixture
def settings(database_url: str, valkey: str, tmp_path: Path) -> Settings:
    """Settings under which webhooks may reach this machine."""
    return Settings(
        database_url=database_url,
        redis_url=valkey,
        secret_key="only for tests: forty characters or more",
        data_dir=tmp_path,
        webhook_networks=LOOPBACK,
    )


@pytest.fixture
def receiver() -> Iterator[Any]:
    """The example receiver, listening."""
    with example("webhook_receiver").Receiver("whsec_") as receiver:
        thread = threading.Thread(target=receiver.serve_forever)
        thread.start()
        yield receiver
        receiver.shutdown()
        thread.join()


async def test_the_example_receiver_takes_what_we_send(
    receiver: Any, settings: Settings, database: Database
) -> None:
    runtime = Runtime(settings, clock=Clock())
    async with database.transaction() as session:
        url = f"http://127.0.0.1:{receiver.server_address[1]}/"
        _, receiver.keys = await add_endpoint(
            session, runtime.vault, url=url, events=(), networks=LOOPBACK
        )
    for revision, quantity in ((8, 5), (7, 6), (9, 4)):
        async with database.transaction() as session:
            await deliveries.enqueue_quantity(
                session,
                channel="store",
                channel_sku="S-MUG",
                quantity=quantity,
                revision=revision,
                now=datetime.now(UTC),
            )
        await notify.work(runtime)
    await runtime.aclose()

    assert receiver.quantities == {"S-MUG": 4}
    assert [message["version"] for message in receiver.messages] == [8, 9]
    assert len(receiver.seen) == 3


@pytest.mark.parametrize(
    ("change", "late", "expected"),
    [
        (lambda body: body, timedelta(), 204),
        (lambda body: body + b" ", timedelta(), 401),
        (lambda body: body, timedelta(minutes=6), 401),
    ],
)
async def test_the_example_receiver_believes_good_signatures_only(
    receiver: Any, change: Callable[[bytes], bytes], late: timedelta, expected: int
) -> None:
    receiver.keys = "whsec_" + "c2VjcmV0IG9mIHRoaXMgdGVzdCBhbG9uZQ=="
    body, sent_at = b'{"type":"alert.fired","data":{}}', datetime.now(UTC) - late
    signature = Webhook(receiver.keys).sign("msg_1", sent_at, body.decode())
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(sent_at.timestamp())),
        "webhook-signature": f"v1,AAAA {signature}",
    }
    async with httpx.AsyncClient() as client:
        url = f"http://127.0.0.1:{receiver.server_address[1]}/"
        for _ in range(2):
            answer = await client.post(url, headers=headers, content=change(body))
            assert answer.status_code == expected
    assert len(receiver.messages) == (1 if expected == 204 else 0)


async def test_the_example_receiver_does_not_read_without_end(receiver: Any) -> None:
    def ask() -> int:
        connection = HTTPConnection(*receiver.server_address)
        connection.putrequest("POST", "/")
        connection.putheader("content-length", "100001")
        connection.endheaders()
        status = connection.getresponse().status
        connection.close()
        return status

    assert await asyncio.to_thread(ask) == 413
