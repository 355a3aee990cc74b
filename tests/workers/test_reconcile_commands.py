"""`hikiate reconcile` and `hikiate resync`: a person asks, the workers do it, who asked watches."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import typer

from inventory.commands import reconcile as commands
from inventory.config import Settings
from inventory.errors import NotFound, WrongState
from tests.workers.night import Night, channel_sku
from workers import push, reconcile

LOOK_SECONDS = 0.2


@pytest.fixture
async def house(
    night: Night, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Night]:
    """A house with workers that look after a Rakuten shop."""
    monkeypatch.setattr(commands, "settings_here", lambda: settings)
    monkeypatch.setattr(commands, "LOOK_SECONDS", LOOK_SECONDS)
    await night.open("rakuten", units=10)
    shop = night.ids["rakuten"]

    async def work() -> None:
        while True:
            await reconcile.work(night.runtime, shop)
            await push.push(night.runtime, shop, "number")
            await asyncio.sleep(LOOK_SECONDS)

    worker = asyncio.create_task(work())
    yield night
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)


async def run(command: Any, **options: Any) -> int:
    """Run a command in a thread of its own, as a process would; its exit code."""
    try:
        await asyncio.to_thread(command, **options)
    except typer.Exit as over:
        return over.exit_code
    return 0


async def test_a_round_shows_what_differs_with_its_story(
    house: Night, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"channel": "rakuten", "per_second": None, "json_out": False}
    assert await run(commands.reconcile, **options) == 0
    assert capsys.readouterr().out == "0 listings differ\n"

    await house.execute("UPDATE channel SET frozen = false")
    house.sandbox.hand_edit("rakuten", channel_sku("rakuten", "MUG"), 25)
    assert await run(commands.reconcile, **options | {"json_out": True}) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["ended"] is True
    [case] = told["drift"]
    assert (case["channel"], case["cause"], case["shown"]) == ("rakuten", "hand_edit", 25)
    assert "somebody changed it" in case["story"]


async def test_a_resync_is_watched_to_its_end(
    house: Night, capsys: pytest.CaptureFixture[str]
) -> None:
    assert house.ids
    options = {"channel": "rakuten", "anew": False, "wait": True, "json_out": True}
    assert await run(commands.resync, **options) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["total"], told["done"], told["asked_by"][:12]) == (1, 1, "command line")


async def test_without_workers_the_command_ends_as_stuck(
    night: Night, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "settings_here", lambda: settings)
    monkeypatch.setattr(commands, "LOOK_SECONDS", LOOK_SECONDS)
    monkeypatch.setattr(commands, "STILL_SECONDS", LOOK_SECONDS)
    await night.open("rakuten", units=10)
    options = {"channel": "rakuten", "anew": False, "wait": True, "json_out": False}
    assert await run(commands.resync, **options) == 1
    # Given again, it goes on with the one that is under way.
    assert await run(commands.resync, **options | {"wait": False}) == 0
    assert await run(commands.reconcile, channel=None, per_second=0, json_out=False) == 1


async def test_who_cannot_be_reconciled(night: Night, settings: Settings) -> None:
    assert night.ids == {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commands, "settings_here", lambda: settings)
        for code, error in (("nobody", NotFound), ("house", WrongState)):
            with pytest.raises(error):
                await run(commands.reconcile, channel=code, per_second=None, json_out=False)
