"""What people put on record at the command line: a buyer's wish, a message sent, a refund seen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from inventory.cli import app
from inventory.clock import Clock
from inventory.errors import BadInput, ContentDiffers, InventoryError
from tests.conftest import HandClock
from tests.desk.conftest import Floor

Hikiate = Callable[..., Awaitable[Any]]


@pytest.fixture
def clock() -> HandClock:
    """The commands' own clock goes on, so that the shop's must be of today."""
    return HandClock(Clock().now() - timedelta(minutes=10))


@pytest.fixture
def hikiate(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Hikiate:
    """Runs `hikiate desk …` in a thread of its own; the JSON that it printed."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("HIKIATE_SECRET_KEY", "only for tests: forty characters or more")

    async def hikiate(*arguments: str) -> Any:
        done = await asyncio.to_thread(CliRunner().invoke, app, ("desk", *arguments))
        if isinstance(done.exception, InventoryError):
            raise done.exception
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    return hikiate


async def test_a_wish_is_put_on_record_once_and_by_a_name(floor: Floor, hikiate: Hikiate) -> None:
    await floor.receive("MUG", 5)
    await floor.sell("rakuten", "o-1")
    asked = ("buyer-asked", "rakuten", "o-1", "--reference", "問い合わせ 17")
    asked_at = (*asked, "--asked-at", floor.clock.now().isoformat())

    told = await hikiate(*asked_at, "--person", " 森 ")
    again = await hikiate(*asked_at, "--person", "森")

    assert (told["recorded_by"], told["cancellation_state"]) == ("森", "proposed")
    assert told["recorded_with"].startswith("command line, ")
    assert again["id"] == told["id"]
    with pytest.raises(ContentDiffers):
        await hikiate(*asked_at, "--person", "林")
    for wrong in ("", "森\n林", "a" * 101, "desk"):
        with pytest.raises(BadInput):
            await hikiate(*asked_at, "--person", wrong)


async def test_a_message_is_sent_and_repaid_by_whoever_said_so_first(
    floor: Floor, hikiate: Hikiate
) -> None:
    await floor.set_channel("rakuten", desk_policy="review")
    await floor.receive("MUG", 1)
    await floor.sell("yahoo", "o-1")
    await floor.sell("rakuten", "o-2")
    await floor.work()
    done = await asyncio.to_thread(CliRunner().invoke, app, ("desk", "message", "1"))
    assert "o-2" in done.stdout
    for command, by in (("sent", "sent_by"), ("repaid", "repaid_by")):
        assert (await hikiate(command, "1", "--person", "森"))[by] == "森"
        assert (await hikiate(command, "1", "--person", "林"))[by] == "森"
        with pytest.raises(BadInput):
            await hikiate(command, "1", "--person", "森\x1b[31m")
