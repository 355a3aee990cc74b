"""The documents' samples, run against the real application, a real receiver and a real database."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from ipaddress import ip_network
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
import uvicorn
from sqlalchemy import text
from standardwebhooks import Webhook

from inventory import deliveries
from inventory.app import create_app
from inventory.clock import Clock
from inventory.config import Settings
from inventory.db import Database
from inventory.outgoing.endpoints import add_endpoint
from inventory.processes import free_port
from inventory.security import create_key
from tests import documents
from tests.documents import ROOT, Call, blocks
from workers import notify
from workers.runtime import Runtime

LOOPBACK = (ip_network("127.0.0.0/8"),)
EXAMPLES = ROOT / "docs/examples"


def example(name: str) -> ModuleType:
    """A program of docs/examples as a module."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
async def served(settings: Settings) -> AsyncIterator[str]:
    """The address of the application, served by uvicorn as in production."""
    app: Any = create_app(settings, ring=lambda _: None)
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    async with asyncio.timeout(30):
        while not server.started:
            assert thread.is_alive()
            await asyncio.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await asyncio.to_thread(thread.join)


@pytest.fixture
async def key(database: Database) -> str:
    """A key that may do everything."""
    async with database.transaction() as session:
        return await create_key(session, name="desk", scopes=["admin"])


async def run_shell(document: Path, served: str, key: str, database: Database) -> dict[str, Any]:
    """Run the shell samples of a document in order; the answers by method and path."""
    answers: dict[str, Any] = {}
    headers = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=f"{served}/v1", headers=headers) as client:
        for block in blocks("sh", document=document):
            for words in documents.commands(block.text):
                arguments = documents.hikiate(words)
                if arguments and arguments[:2] == ["key", "create"]:
                    await make_key(arguments, database)
                call = documents.call(words)
                if call is not None:
                    answers[f"{call.method} {call.path}"] = await _ask(client, call)
    return answers


async def _ask(client: httpx.AsyncClient, call: Call) -> Any:
    content = None if call.body is None else json.loads(call.body)
    answer = await client.request(call.method, call.path, json=content)
    assert answer.status_code in {200, 201}, (call, answer.text)
    return answer.json()


async def make_key(arguments: list[str], database: Database) -> None:
    """What `hikiate key create …` does with these arguments."""
    command = documents.known_commands()["key create"]
    given = command.make_context("create", arguments[2:]).params
    async with database.transaction() as session:
        await create_key(
            session, name=given["name"], scopes=given["scope"], channel=given["channel"]
        )


@pytest.mark.parametrize(
    ("document", "shown_by"),
    [
        ("README.md", "GET /channels/web/availability?channel_sku=W-MUG-RED"),
        (
            "docs/channels/own-store.md",
            "GET /channels/store/availability?channel_sku=S-MUG-BLUE",
        ),
        ("docs/kits-and-locations.md", "GET /skus/TEA-SET/parts"),
        ("docs/warehouse.md", "POST /movements/batch"),
    ],
)
async def test_shell_samples_work_and_answer_what_is_shown(
    document: str, shown_by: str, served: str, key: str, database: Database
) -> None:
    answers = await run_shell(ROOT / document, served, key, database)

    [sample] = blocks("json", document=ROOT / document)
    shown = json.loads(sample.text)
    assert {name: answers[shown_by][name] for name in shown} == shown


@pytest.fixture
async def store(served: str, key: str) -> AsyncIterator[httpx.AsyncClient]:
    """An own store that lists MUG, of which there are two, as S-MUG."""
    headers = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=f"{served}/v1", headers=headers) as client:
        for method, path, body in (
            ("POST", "/skus", {"code": "MUG"}),
            ("POST", "/movements", {"kind": "receive", "ref": "d", "sku": "MUG", "quantity": 2}),
            ("POST", "/channels", {"code": "store", "kind": "own_store"}),
            (
                "PUT",
                "/channels/store/listings",
                {"listings": [{"channel_sku": "S-MUG", "sku": "MUG"}]},
            ),
        ):
            assert (await client.request(method, path, json=body)).is_success
        yield client


async def test_the_example_client_runs_as_the_guide_says(
    store: httpx.AsyncClient, served: str, key: str
) -> None:
    program = [sys.executable, str(EXAMPLES / "own_store_client.py"), served, "store", "S-MUG"]
    done = await asyncio.to_thread(
        subprocess.run,
        program,
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "HIKIATE_KEY": key},
    )

    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert [said[0], said[2], said[3]] == ["may be shown: 2", "may be shown: 1", "shipped"]
    assert said[1].endswith("is handled")
    mug = (await store.get("/skus/MUG")).json()
    assert (mug["on_hand"], mug["reserved"]) == (1, 0)


async def test_the_example_client_repeats_until_it_is_answered(
    store: httpx.AsyncClient, served: str, key: str
) -> None:
    pauses: list[float] = []
    client = example("own_store_client")
    lines = [{"line_ref": "1", "channel_sku": "S-MUG", "quantity": 2}]

    def tell() -> list[Any]:
        shop = client.OwnStore(served, key, "store", pause=pauses.append)
        first, again = shop.tell_order("s-1", lines), shop.tell_order("s-1", lines)
        held = shop.reserve("basket-1", lines)
        shop.close()
        return [first["repeated"], again["repeated"], held]

    assert await asyncio.to_thread(tell) == [False, True, False]
    assert not pauses
    mug = (await store.get("/skus/MUG")).json()
    assert (mug["on_hand"], mug["reserved"]) == (2, 2)

    def nobody_there() -> None:
        shop = client.OwnStore(f"http://127.0.0.1:{free_port()}", key, "store", pause=pauses.append)
        try:
            shop.tell_order("s-2", lines)
        finally:
            shop.close()

    with pytest.raises(ConnectionError):
        await asyncio.to_thread(nobody_there)
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0]


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


async def test_sql_samples_run_on_the_newest_schema(database: Database) -> None:
    samples = blocks("sql")
    assert samples
    async with database.transaction() as session:
        for block in samples:
            await session.execute(text(block.text.strip().rstrip(";")))
