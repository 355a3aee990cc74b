"""Endpoints and their log at the command line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from typer.testing import CliRunner, Result

from inventory.cli import app
from inventory.db import Database
from inventory.errors import BadInput
from inventory.models import Audit, Delivery, WebhookEndpoint
from inventory.outgoing.outbound import Outbound
from tests.conftest import HandClock
from tests.notices.conftest import SECRET_KEY
from tests.notices.receiver import Receiver
from tests.notices.steps import queue, teams
from workers import notify
from workers.runtime import Runtime

Hikiate = Callable[..., Coroutine[Any, Any, Result]]


@pytest.fixture
def hikiate(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Hikiate:
    """Runs `hikiate webhook …` in a thread, as it makes an event loop of its own."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("HIKIATE_SECRET_KEY", SECRET_KEY)
    monkeypatch.setenv("HIKIATE_WEBHOOK_NETWORKS", "127.0.0.0/8")

    async def run(*arguments: str, typed: str = "") -> Result:
        return await asyncio.to_thread(
            CliRunner().invoke, app, ["webhook", *arguments], input=typed
        )

    return run


async def test_chat_is_asked_for_unseen_and_never_shown(
    hikiate: Hikiate, database: Database
) -> None:
    await teams(database, "buyers")
    asked = await hikiate(
        *("add", "--kind", "chatwork", "--name", "buyers", "--team", "buyers"),
        *("--event", "alert.fired"),
        typed="123\ntoken-canary\n",
    )
    listed = await hikiate("list")

    assert asked.exit_code == listed.exit_code == 0, asked.output
    line = "1  chatwork  buyers  team buyers  https://api.chatwork.com/…  well"
    assert listed.output.strip() == line
    assert "canary" not in asked.output + listed.output
    async with database.transaction() as session:
        done = list(await session.scalars(select(Audit.action).order_by(Audit.id)))
        assert done == ["team.put", "endpoint.created"]


async def test_endpoint_is_changed_in_part(hikiate: Hikiate, database: Database) -> None:
    await teams(database, "buyers", "night")
    await hikiate(
        *("add", "--kind", "slack", "--team", "buyers", "--event", "alert.fired"),
        typed="https://hooks.slack.example/canary\n",
    )

    async def now() -> tuple[Any, ...]:
        [row] = json.loads((await hikiate("list", "--json")).output)
        return row["name"], row["team"], row["events"]

    changed = await hikiate("edit", "1", "--name", "夜", "--team", "night")
    assert changed.output == "endpoint 1 is changed\n"
    assert await now() == ("夜", "night", ["alert.fired"])
    await hikiate("edit", "1", "--event", "c.d", "--event", "a.b", "--every-team")
    assert await now() == ("夜", None, ["a.b", "c.d"])
    await hikiate("edit", "1", "--every-event")
    assert await now() == ("夜", None, [])
    for wrong in (("--team", "a b"), ("--name", "x" * 201)):
        assert isinstance((await hikiate("edit", "1", *wrong)).exception, BadInput), wrong
    assert (await hikiate("edit", "1", "--team", "a", "--every-team")).exit_code == 2
    unknown = await hikiate("edit", "1", "--team", "nobody")
    assert str(unknown.exception) == "no team 'nobody': there are buyers, night"
    async with database.transaction() as session:
        changes = select(Audit.done_by).where(Audit.action == "endpoint.changed")
        assert all(by.startswith("command line, ") for by in await session.scalars(changes))
        assert len((await session.scalars(changes)).all()) == 3


async def test_webhook_from_a_file_is_rotated_enabled_and_removed(
    hikiate: Hikiate, database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "endpoint.json"
    file.write_text('{"url": "https://shop.example/hook?key=canary", "events": ["alert.fired"]}')
    made = json.loads((await hikiate("add", "--from-file", str(file), "--json")).output)
    rotated = json.loads((await hikiate("rotate", "1", "--hours", "2", "--json")).output)

    assert made["secret"].startswith("whsec_")
    assert made["public_key"].startswith("whpk_")
    assert rotated["secret"] != made["secret"]
    assert rotated["previous_until"] is not None
    async with database.transaction() as session:
        await session.execute(update(WebhookEndpoint).values(active=False))
    assert (await hikiate("list")).output.strip().endswith("disabled")
    assert (await hikiate("enable", "1")).exit_code == 0
    assert (await hikiate("list")).output.strip().endswith("well")
    assert (await hikiate("remove", "1")).exit_code == 0
    assert (await hikiate("list")).output == "there is none\n"
    wrong = await hikiate("add", "--kind", "fax", typed="https://x.example/\n")
    assert wrong.exit_code == 2


async def test_log_is_filtered_and_the_past_is_sent_again(
    hikiate: Hikiate,
    runtime: Runtime,
    database: Database,
    outbound: Outbound,
    receiver: Receiver,
    clock: HandClock,
    tmp_path: Path,
) -> None:
    # The command goes by the real clock; the worker's must not be behind it.
    clock.moment = datetime.now(UTC) + timedelta(minutes=5)
    receiver.answers = [(204, {}, b"canary")]
    file = tmp_path / "endpoint.json"
    file.write_text(json.dumps({"url": receiver.url}))
    await hikiate("add", "--from-file", str(file))
    for event in ("a.b", "c.d"):
        await queue(database, event)
    await notify.work(runtime, outbound=outbound)

    every = await hikiate("log")
    assert every.output.splitlines() == [
        "2  to 1  c.d  -  delivered  tries 1  204",
        "1  to 1  a.b  -  delivered  tries 1  204",
    ]
    for asked, count in (
        (("--event", "a.b"), 1),
        (("--state", "parked"), 0),
        (("--endpoint", "2"), 0),
        (("--before", "2"), 1),
        (("--limit", "1"), 1),
        (("--since", "2099-01-01"), 0),
    ):
        found = json.loads((await hikiate("log", "--json", *asked)).output)
        assert len(found) == count, asked
        assert "canary" not in str(found)

    told = json.loads((await hikiate("tries", "1", "--json")).output)
    [tried] = told["tries"]
    assert (told["id"], tried["status"], tried["failure"]) == (1, 204, None)
    begun = datetime.fromisoformat(tried["at"])
    line = f"    {begun:%Y-%m-%d %H:%M:%S} UTC  version 1  {tried['milliseconds']} ms  204"
    assert (await hikiate("tries", "1")).output.splitlines() == [every.output.splitlines()[1], line]
    assert str((await hikiate("tries", "9")).exception) == "no delivery 9"

    again = await hikiate("replay", "1")
    assert again.output.startswith("2 messages are sent again, 0 left out")
    await notify.work(runtime, outbound=outbound)
    assert len(receiver.requests) == 4


async def test_ping_says_what_came_of_it(
    hikiate: Hikiate,
    runtime: Runtime,
    database: Database,
    outbound: Outbound,
    receiver: Receiver,
    clock: HandClock,
    tmp_path: Path,
) -> None:
    # The command goes by the real clock; the worker's must not be behind it.
    clock.moment = datetime.now(UTC) + timedelta(minutes=5)
    file = tmp_path / "endpoint.json"
    file.write_text(json.dumps({"url": receiver.url}))
    await hikiate("add", "--from-file", str(file))

    async def tested() -> Result:
        asked = asyncio.create_task(hikiate("test", "1", "--wait", "60"))
        async with asyncio.timeout(60):
            while not asked.done():
                await notify.work(runtime, outbound=outbound)
                await asyncio.wait([asked], timeout=0.05)
        return asked.result()

    arrived = await tested()
    assert (arrived.exit_code, arrived.output) == (
        0,
        "delivery 1: delivered, answer 204, failure -\n",
    )
    receiver.answers = [(500, {}, b"canary")]
    failed = await tested()
    assert failed.exit_code == 1
    assert failed.output == "delivery 2: pending, answer 500, failure status_500\n"
    async with database.transaction() as session:
        assert len(list(await session.scalars(select(Delivery)))) == 2
