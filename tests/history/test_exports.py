"""Movements go out as CSV and Parquet, in parts, whole, and without formulas."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator

import pytest
from arro3.io import read_parquet

from inventory import archive, exports
from inventory.db import Database
from inventory.exports import COLUMNS, Format, Selection
from inventory.history import ALWAYS
from inventory.partitions import parsed
from inventory.proof import prove
from inventory.seals import seal_ended
from tests.history.conftest import Tamper, Tell, day, values
from tests.ledger.told import received

pytestmark = pytest.mark.usefixtures("past")
NOW = day("2025-04-15")
ALL = Selection(since=ALWAYS[0], until=ALWAYS[1])


async def file(database: Database, format_: Format, selection: Selection = ALL) -> bytes:
    rows = exports.chunks(database, selection, NOW)
    return b"".join([part async for part in exports.encoded(rows, format_)])


async def lines(database: Database, selection: Selection = ALL) -> list[dict[str, str]]:
    text = (await file(database, Format.CSV, selection)).decode()
    return list(csv.DictReader(io.StringIO(text)))


def keys(rows: list[dict[str, str]]) -> list[tuple[str, str, int]]:
    return [(row["sku"], row["location"], int(row["revision"])) for row in rows]


MUG = [("MUG", "main", revision) for revision in range(1, 11)]
TEE = ("TEE", "main", 1)
SENT = ("MUG", "in-transit", 1)


@pytest.mark.parametrize("chunk", [1, 2, 5_000])
async def test_every_movement_goes_out_once_month_by_month(
    database: Database, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(exports, "CHUNK", chunk)
    rows = await lines(database)
    assert keys(rows) == [MUG[0], TEE, *MUG[1:8], SENT, *MUG[8:]]
    assert rows[3] == {
        "recorded_at": "2025-02-20T12:00:00.000000Z",
        "occurred_at": "2025-02-19T12:00:00.000000Z",
        "sku": "MUG",
        "location": "main",
        "revision": "3",
        "kind": "adjust",
        "on_hand_delta": "-2",
        "reserved_delta": "0",
        "reason": "damage",
        "channel": "house",
        "fact": "adjust",
        "fact_ref": "broken-1",
        "line": "0",
        "fact_id": rows[3]["fact_id"],
    }


async def test_months_that_share_the_default_partition_go_out_once(
    database: Database, tell: Tell
) -> None:
    await tell("2027-01-10", received("in-8", 1))
    await tell("2027-02-10", received("in-9", 1))
    rows = await lines(database, Selection(since=day("2026-01-01"), until=ALWAYS[1]))
    assert [row["fact_ref"] for row in rows] == ["in-8", "in-9"]


async def test_a_selection(database: Database) -> None:
    some = Selection(since=day("2025-02-20"), until=day("2025-03-20"), sku_ids=[1])
    assert keys(await lines(database, some)) == MUG[2:5]
    assert keys(
        await lines(database, Selection(since=ALWAYS[0], until=ALWAYS[1], sku_ids=[2]))
    ) == [TEE]
    assert await lines(database, Selection(since=day("2025-04-14"), until=ALWAYS[1])) == []


async def test_text_does_not_become_a_formula(database: Database, tamper: Tamper) -> None:
    await tamper("UPDATE fact SET fact_ref = '=HYPERLINK(A1)' WHERE fact_ref = 'in-1'")
    await tamper("UPDATE sku SET code = '-TEE' WHERE code = 'TEE'")
    first, second, _, fourth, *_ = await lines(database)
    assert (first["fact_ref"], second["sku"]) == ("'=HYPERLINK(A1)", "'-TEE")
    assert fourth["on_hand_delta"] == "-2"


async def test_parquet_holds_the_same(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "CHUNK", 3)
    table = read_parquet(io.BytesIO(await file(database, Format.PARQUET))).read_all()
    assert tuple(table.column_names) == COLUMNS
    columns = {name: values(table, name) for name in COLUMNS}
    rows = await lines(database)
    for name in ("sku", "kind", "fact_ref", "reason"):
        assert columns[name] == [row[name] for row in rows]
    for name in ("revision", "on_hand_delta", "reserved_delta", "line", "fact_id"):
        assert columns[name] == [int(row[name]) for row in rows]
    assert columns["recorded_at"][3] == day("2025-02-20")
    assert columns["occurred_at"][3] == day("2025-02-19")


async def test_a_reader_who_stops_leaves_nothing_running(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "CHUNK", 1)
    monkeypatch.setattr(exports, "ROW_GROUP", 1)
    monkeypatch.setattr(exports, "PARTS_MAX", 1)
    for format_ in Format:
        parts = exports.encoded(exports.chunks(database, ALL, NOW), format_)
        assert await anext(parts)
        await parts.aclose()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert database.engine.pool.status().endswith("Current Checked out connections: 0")


async def test_what_fails_in_the_middle_does_not_pass_for_whole(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "CHUNK", 1)

    async def broken() -> AsyncIterator[exports.Rows]:
        async for rows in exports.chunks(database, ALL, NOW):
            yield rows
            raise ConnectionResetError

    for format_ in Format:
        with pytest.raises(ConnectionResetError):
            [part async for part in exports.encoded(broken(), format_)]


async def test_detached_months_are_not_in_it(database: Database) -> None:
    await seal_ended(database, NOW)
    await prove(database, NOW)
    await archive.detach(database, parsed("2025-01"), NOW)
    assert keys(await lines(database)) == [*MUG[1:8], SENT, *MUG[8:]]


async def test_nothing_at_all_is_a_file_all_the_same(database: Database) -> None:
    none = Selection(since=ALWAYS[0], until=day("2024-01-01"))
    assert await lines(database, none) == []
    table = read_parquet(io.BytesIO(await file(database, Format.PARQUET, none))).read_all()
    assert (table.num_rows, tuple(table.column_names)) == (0, COLUMNS)
