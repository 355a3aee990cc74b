"""History through the doors that people and programs use: REST and the command line."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from arro3.io import read_parquet
from typer.testing import CliRunner, Result

from inventory import archive
from inventory.commands import ledger_months
from inventory.commands.ledger import ledger as commands
from inventory.db import Database
from inventory.errors import BadInput, UnknownSku
from inventory.partitions import parsed
from inventory.proof import prove
from inventory.seals import seal_ended
from tests.api.conftest import Caller, problem
from tests.history.conftest import Tamper, day, values
from tests.history.test_history import TOLD

pytestmark = pytest.mark.usefixtures("past")
Hikiate = Callable[..., Any]


@pytest.fixture
async def reader(caller: Caller) -> httpx.AsyncClient:
    """May read stock and nothing else."""
    return await caller("stock:read")


def told(row: dict[str, Any]) -> tuple[Any, ...]:
    names = ("kind", "location", "on_hand_delta", "reserved_delta", "on_hand_after")
    return tuple(row[name] for name in (*names, "reserved_after", "fact_ref"))


async def test_pages_of_movements(reader: httpx.AsyncClient) -> None:
    found: list[Any] = []
    params = {"limit": "4"}
    while True:
        page = (await reader.get("/skus/MUG/movements", params=params)).json()
        found += page["items"]
        if page["next"] is None:
            break
        params["cursor"] = page["next"]
    assert [told(row) for row in found] == TOLD


async def test_filters(reader: httpx.AsyncClient) -> None:
    params = {"kind": "reserve", "location": "main", "since": "2025-02-10T21:00:00+09:00"}
    page = (await reader.get("/skus/MUG/movements", params=params)).json()
    assert [row["fact_ref"] for row in page["items"]] == ["o-3", "h-1", "o-2", "o-1"]
    params["until"] = "2025-03-05T12:00:00Z"
    page = (await reader.get("/skus/MUG/movements", params=params)).json()
    assert [row["fact_ref"] for row in page["items"]] == ["o-1"]


@pytest.mark.parametrize(
    "params",
    [
        {"cursor": "x"},
        {"cursor": "W10"},
        {"cursor": "W1sxLC0xLDAsMF1d"},
        {"kind": "theft"},
        {"since": "2025-02-10T21:00:00"},
        {"until": "1999-01-01T00:00:00Z"},
    ],
)
async def test_what_cannot_be_read_is_refused(
    reader: httpx.AsyncClient, params: dict[str, str]
) -> None:
    answer = await reader.get("/skus/MUG/movements", params=params)
    assert problem(answer) == (400, "bad_input")


async def test_a_balance_of_any_moment(reader: httpx.AsyncClient, database: Database) -> None:
    now = (await reader.get("/skus/MUG/balance")).json()
    assert (now["on_hand"], now["reserved"], now["available"]) == (17, 3, 14)
    then = await reader.get("/skus/MUG/balance", params={"at": "2025-02-15T00:00:00+09:00"})
    assert then.json() == {
        "sku": "MUG",
        "at": "2025-02-14T15:00:00Z",
        "by": "recorded_at",
        "on_hand": 20,
        "reserved": 3,
        "available": 17,
        "locations": [
            {"location": "main", "sellable": True, "on_hand": 20, "reserved": 3},
            {"location": "in-transit", "sellable": False, "on_hand": 0, "reserved": 0},
        ],
    }
    params = {"at": "2025-02-19T12:00:00Z", "by": "occurred_at"}
    assert (await reader.get("/skus/MUG/balance", params=params)).json()["by"] == "occurred_at"
    assert problem(await reader.get("/skus/NONE/balance")) == (404, "unknown_sku")

    await seal_ended(database, day("2025-04-15"))
    await prove(database, day("2025-04-15"))
    await archive.detach(database, parsed("2025-01"), day("2025-04-15"))
    params = {"at": "2025-01-31T00:00:00Z"}
    refused = await reader.get("/skus/MUG/balance", params=params)
    assert problem(refused) == (409, "wrong_state")


async def test_an_export_is_streamed(reader: httpx.AsyncClient) -> None:
    answer = await reader.get("/movements/export")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="movements.csv"'
    assert "content-length" not in answer.headers
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 12

    params = {"format": "parquet", "sku": ["TEE", "MUG"], "since": "2025-04-01T00:00:00Z"}
    answer = await reader.get("/movements/export", params=params)
    table = read_parquet(io.BytesIO(answer.content)).read_all()
    assert values(table, "fact_ref") == ["o-3", "in-3"]


async def test_an_export_that_cannot_be_made(reader: httpx.AsyncClient, caller: Caller) -> None:
    for params, expected in (
        ({"format": "xml"}, (400, "bad_input")),
        ({"sku": "NONE"}, (404, "unknown_sku")),
        ({"sku": ["MUG"] * 101}, (400, "bad_input")),
    ):
        assert problem(await reader.get("/movements/export", params=params)) == expected
    stranger = await caller("desk:write")
    assert problem(await stranger.get("/movements/export")) == (403, "not_permitted")


@pytest.fixture
def hikiate(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs `hikiate ledger …` on this test's database, in the middle of April."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", "redis://nowhere")
    monkeypatch.setenv("HIKIATE_SECRET_KEY", "s" * 40)
    monkeypatch.setattr("inventory.commands.ledger.now", lambda: day("2025-04-15"))
    monkeypatch.setattr(ledger_months, "now", lambda: day("2025-04-15"))

    def hikiate(*words: str) -> Result:
        return CliRunner().invoke(commands, list(words))

    return hikiate


async def run(work: Callable[..., Result], *words: str) -> Result:
    """In a thread: a command has an event loop of its own."""
    return await asyncio.to_thread(work, *words)


async def test_a_sku_is_shown_as_a_table(hikiate: Callable[..., Result]) -> None:
    shown = await run(hikiate, "show", "MUG", "--limit", "3")
    assert shown.exit_code == 0
    assert [" ".join(line.split()) for line in shown.stdout.splitlines()] == [
        "MUG",
        "stock now",
        "location on hand reserved available",
        "main 17 3 14",
        "in-transit 5 0 not for sale",
        "",
        "3 movements, newest first",
        (
            "recorded (Tokyo) location what on hand reserved on hand after reserved after"
            " told by fact name reason"
        ),
        "2025-04-02 21:00:00 main receive +7 0 17 3 house receive in-3",
        "2025-04-02 21:00:00 main reserve 0 +1 10 3 house sale o-3",
        "2025-03-25 21:00:00 in-transit transfer +5 0 5 0 house transfer_out t-1",
    ]

    then = await run(hikiate, "show", "MUG", "--at", "2025-02-20T21:00", "--limit", "1")
    assert then.stdout.splitlines()[1] == "stock at 2025-02-20 21:00:00 (Tokyo)"
    assert then.stdout.splitlines()[-1].split()[-1] == "damage"

    found = json.loads((await run(hikiate, "show", "MUG", "--json")).stdout)
    assert [told(row) for row in found["movements"]] == TOLD
    assert found["balance"]["available"] == 14


async def test_what_a_person_enters_wrongly_is_said(hikiate: Callable[..., Result]) -> None:
    for words, error in (
        (("show", "NONE"), UnknownSku),
        (("show", "MUG", "--at", "yesterday"), BadInput),
        (("detach", "January"), BadInput),
    ):
        assert isinstance((await run(hikiate, *words)).exception, error)
    assert (await run(hikiate, "export", "--out", "-", "--format", "xml")).exit_code == 2


async def test_an_export_is_a_whole_file_or_none(
    hikiate: Callable[..., Result], tmp_path: Path
) -> None:
    out = tmp_path / "all.csv"
    assert (await run(hikiate, "export", "--out", str(out))).exit_code == 0
    assert [each.name for each in tmp_path.iterdir()] == ["all.csv"]
    to_screen = await run(hikiate, "export", "--out", "-")
    assert to_screen.stdout_bytes == out.read_bytes()
    assert out.read_text().count("\n") == 13

    parquet = tmp_path / "some.parquet"
    words = ("--sku", "MUG", "--since", "2025-04-01", "--format", "parquet", "--out", str(parquet))
    assert (await run(hikiate, "export", *words)).exit_code == 0
    assert values(read_parquet(parquet).read_all(), "fact_ref") == ["o-3", "in-3"]


async def test_verify_says_so_by_its_exit_code(
    hikiate: Callable[..., Result], tamper: Tamper
) -> None:
    well = await run(hikiate, "verify")
    assert (well.exit_code, well.stdout.splitlines()[-1]) == (0, "the books agree")
    assert "3 balances, 12 movements to add up" in well.stderr

    await tamper("DELETE FROM movement WHERE sku_id = 1 AND location_id = 1 AND revision = 4")
    wrong = await run(hikiate, "verify", "--full")
    assert wrong.exit_code == 1
    assert wrong.stdout.splitlines()[-1] == (
        "DIFFERENCE gap: MUG at main, revision 4: the movement is missing"
    )
    found = json.loads((await run(hikiate, "verify", "--full", "--json")).stdout)
    assert (found["ok"], found["differences"]) == (
        False,
        [
            {
                "what": "gap",
                "detail": "the movement is missing",
                "sku": "MUG",
                "location": "main",
                "revision": 4,
            }
        ],
    )


async def test_months_are_sealed_detached_and_attached(hikiate: Callable[..., Result]) -> None:
    assert (await run(hikiate, "seal")).stdout == "3 sealed\n"
    assert (await run(hikiate, "verify")).exit_code == 0
    assert "movement_2025_01" in (await run(hikiate, "detach", "2025-01")).stdout
    listed = (await run(hikiate, "months")).stdout.splitlines()
    assert [line.split()[:3] for line in listed[1:5]] == [
        ["2025-01", "detached", "2"],
        ["2025-02", "sealed", "2"],
        ["2025-03", "sealed", "6"],
        ["2025-04", "open", "2"],
    ]
    assert (await run(hikiate, "attach", "2025-01")).stdout == "2025-01 is attached\n"
    months = json.loads((await run(hikiate, "months", "--json")).stdout)
    assert [month["state"] for month in months[:4]] == ["sealed", "sealed", "sealed", "open"]
    assert len(months[0]["hash"]) == 64
