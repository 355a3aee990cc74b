"""The documents' samples, run against the real application and a real database."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from sqlalchemy import select, text

from inventory.app import create_app
from inventory.config import Settings
from inventory.db import Database
from inventory.models import Cancellation, SalesOrder
from inventory.processes import free_port
from inventory.security import create_key
from tests import documents
from tests.conftest import Save
from tests.documents import EXAMPLES, ROOT, Call, blocks, example

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
    """A key that may do everything, named as the samples name it."""
    async with database.transaction() as session:
        return await create_key(session, name="mori", scopes=["admin"])


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
    assert answer.status_code in {200, 201, 204}, (call, answer.text)
    return answer.json() if answer.content else None


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


@pytest.fixture
async def day(store: httpx.AsyncClient, database: Database, save: Save) -> None:
    """What guides speak of: the README's SKU, a parked event, a case with two proposals."""
    line = {"line_ref": "1", "channel_sku": "S-MUG", "quantity": 2}
    unknown = line | {"channel_sku": "S-NEW"}
    await store.post("/skus", json={"code": "MUG-RED"})
    for ref, sold in (("o-0", unknown), ("o-1", line), ("o-2", line), ("o-3", line)):
        told = {"event_id": f"{ref}:placed", "order_ref": ref, "lines": [sold]}
        assert (await store.post("/channels/store/orders", json=told)).is_success
    async with database.sessions() as session:
        newest = select(SalesOrder).order_by(SalesOrder.id.desc()).limit(2)
        orders = (await session.scalars(newest)).all()
    for order in orders:
        await save(
            Cancellation(
                channel_id=order.channel_id,
                order_id=order.id,
                oversell_id=1,
                state="proposed",
                reason="out_of_stock",
                reason_code="out_of_stock",
                proposed_at=datetime.now(UTC),
            )
        )


@pytest.mark.parametrize(
    "guide", ["alerts", "desk", "ledger", "operating", "penalties", "webhooks"]
)
async def test_shell_samples_of_a_guide_are_answered(
    guide: str, day: None, served: str, key: str, database: Database
) -> None:
    assert await run_shell(ROOT / f"docs/{guide}.md", served, key, database)


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


async def test_sql_samples_run_on_the_newest_schema(database: Database) -> None:
    samples = blocks("sql")
    assert samples
    async with database.transaction() as session:
        for block in samples:
            await session.execute(text(block.text.strip().rstrip(";")))
