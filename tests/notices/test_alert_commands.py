"""The buyers' team at the command line: rules, teams, suppliers, terms, and what fired."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from inventory.cli import app
from inventory.errors import InventoryError
from tests.factories import NOON
from tests.notices.buyers import Buyers, told

Hikiate = Callable[..., Any]


@pytest.fixture
def hikiate(buyers: Buyers, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Hikiate:
    """Runs a command at noon, as a process of its own would; what it printed."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("HIKIATE_SECRET_KEY", "s" * 40)
    for module in ("alerts", "buying"):
        monkeypatch.setattr(f"inventory.commands.{module}.now", lambda: NOON)

    async def hikiate(*words: str) -> str:
        done = await asyncio.to_thread(CliRunner().invoke, app, list(words))
        if done.exception is not None:
            raise done.exception
        return str(done.stdout)

    return hikiate


def lines(printed: str) -> list[str]:
    return [" ".join(line.split()) for line in printed.splitlines()]


async def test_a_buyer_sets_up_a_rule_and_takes_care_of_what_fires(
    hikiate: Hikiate, buyers: Buyers
) -> None:
    assert await hikiate("supplier", "put", "nagoya", "--name", "名古屋陶器", "--lead-days", "7")
    await hikiate("team", "put", "heads")
    await hikiate("team", "put", "night", "--next", "heads", "--after", "30", "--digest-over", "3")
    await hikiate(
        *("buying", "put", "MUG", "--category", "食器", "--supplier", "nagoya"),
        *("--pack-size", "24"),
    )
    await buyers.pace(2.0)
    watched = ("alert", "watch", "--kind", "low_cover", "--level", "5", "--category", "食器")
    assert await hikiate(*watched, "--team", "night") == "rule 1\n"

    assert lines(await hikiate("alert", "rules"))[1:] == ["1 low_cover category 食器 5 1 night"]
    assert lines(await hikiate("alert", "list"))[1:] == [
        "1 low_cover sku:MUG night 8 2.0 4.0 2026-11-18 72"
    ]
    shown = json.loads(await hikiate("alert", "show", "1"))
    assert shown["advice"]["supplier"] == "nagoya"
    assert shown["advice"]["why"].startswith("Sells 2.0 a day")
    assert "acknowledged by command line" in await hikiate("alert", "ack", "1")
    assert "nothing is said" in await hikiate("alert", "snooze", "1", "--hours", "2")
    assert json.loads(await hikiate("alert", "rules", "--json"))[0]["team"] == "night"
    assert len(json.loads(await hikiate("alert", "list", "--team", "night", "--json"))) == 1
    assert len(json.loads(await hikiate("alert", "list", "--team", "heads", "--json"))) == 0

    await hikiate("alert", "unwatch", "1")
    assert lines(await hikiate("alert", "list", "--state", "closed"))[1:] == [
        "1 low_cover sku:MUG night - - - - -"
    ]
    assert [event for event, _ in await told(buyers.database)] == ["alert.fired"]


async def test_teams_and_suppliers_are_listed(hikiate: Hikiate) -> None:
    await hikiate("team", "put", "night", "--name", "夜の担当", "--digest-minutes", "30")
    await hikiate("supplier", "put", "osaka", "--cover-days", "14")

    assert lines(await hikiate("team", "list"))[1:] == ["night 夜の担当 - 60 5 30"]
    assert lines(await hikiate("supplier", "list"))[1:] == ["osaka - 14"]
    [team] = json.loads(await hikiate("team", "list", "--json"))
    [supplier] = json.loads(await hikiate("supplier", "list", "--json"))
    assert (team["digest_minutes"], supplier["lead_days"]) == (30, None)
    assert json.loads(await hikiate("buying", "show", "MUG"))["available"] == 8
    assert await hikiate("team", "remove", "night") == "team night is removed\n"
    assert await hikiate("supplier", "remove", "osaka") == "supplier osaka is removed\n"
    assert lines(await hikiate("team", "list"))[1:] == []
    assert lines(await hikiate("supplier", "list"))[1:] == []


async def test_a_file_says_how_skus_are_bought_or_changes_nothing(
    hikiate: Hikiate, buyers: Buyers, tmp_path: Path
) -> None:
    await hikiate("supplier", "put", "osaka")
    file = tmp_path / "buying.csv"
    file.write_text("\ufeffsku,category,supplier,pack_size\nMUG,食器,osaka,6\n", encoding="utf-8")
    assert await hikiate("buying", "import", str(file)) == "1 SKUs are set\n"
    pool = await buyers.database.pool()
    read = "SELECT category, supplier_id, pack_size FROM buying_terms"
    assert [tuple(row) for row in await pool.fetch(read)] == [("食器", 1, 6)]

    for wrong in (
        "sku,category\nMUG,x\nNO,y\n",
        "sku,pack_size\nMUG,0\n",
        "sku,colour\nMUG,red\n",
        "category\nx\n",
        "sku,supplier\nMUG,nobody\n",
    ):
        file.write_text(wrong, encoding="utf-8")
        with pytest.raises(InventoryError):
            await hikiate("buying", "import", str(file))
    assert [tuple(row) for row in await pool.fetch(read)] == [("食器", 1, 6)]


@pytest.mark.parametrize(
    "words",
    [
        ("alert", "watch", "--kind", "low"),
        ("alert", "watch", "--kind", "oversell"),
        ("alert", "ack", "9"),
        ("alert", "unwatch", "9"),
        ("team", "put", "a b"),
        ("team", "remove", "nobody"),
        ("supplier", "remove", "nobody"),
        ("supplier", "put", "a b"),
    ],
)
async def test_what_cannot_be_is_said_in_one_line(hikiate: Hikiate, words: tuple[str, ...]) -> None:
    with pytest.raises(InventoryError):
        await hikiate(*words)
