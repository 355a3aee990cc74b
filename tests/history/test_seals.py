"""Ended months are sealed; what is changed in them later is found, and nothing can be added."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from types import SimpleNamespace

import asyncpg
import pytest

from inventory import checks, seals
from inventory.db import Database
from inventory.ledger import Ledger
from inventory.partitions import months
from inventory.proof import prove
from tests.conftest import HandClock, Save
from tests.factories import SkuFactory
from tests.history.conftest import Tamper, Tell, day
from tests.ledger.told import received

NOW = day("2025-04-15")
MARCH = "2025-03"


async def seal(database: Database, on: str = "2025-04-15") -> list[str]:
    return [month.name for month in await seals.seal_ended(database, day(on))]


async def found(database: Database, *, full: bool = False) -> list[str]:
    return [str(each) for each in (await prove(database, NOW, full=full)).differences]


async def states(database: Database) -> dict[str, str]:
    async with database.engine.connect() as connection:
        return {each.name: each.state.value for each in await months(connection, NOW)}


@pytest.mark.usefixtures("past")
async def test_a_month_is_sealed_an_hour_after_its_end(database: Database) -> None:
    first = day("2025-03-01").replace(hour=0, minute=59, second=59)
    assert [each.name for each in await seals.seal_ended(database, first)] == ["2025-01"]
    second = first + timedelta(seconds=1)
    assert [each.name for each in await seals.seal_ended(database, second)] == ["2025-02"]
    assert await seal(database) == [MARCH]
    assert await seal(database) == []
    assert {name: state for name, state in (await states(database)).items() if name < "2026"} == {
        "2025-01": "sealed",
        "2025-02": "sealed",
        MARCH: "sealed",
        "2025-04": "open",
    }


@pytest.mark.usefixtures("past")
async def test_seals_are_what_anyone_can_compute_from_the_rows(database: Database) -> None:
    await seal(database)
    pool = await database.pool()
    before = bytes(32)
    for row in await pool.fetch("SELECT * FROM seal ORDER BY month"):
        packed = await pool.fetch(
            "SELECT record_send(ROW(fact_id, revision, recorded_at, occurred_at, sku_id,"
            " location_id, on_hand_delta, reserved_delta, line, kind, reason)) FROM movement"
            " WHERE date_trunc('month', recorded_at AT TIME ZONE 'UTC') = $1::date"
            " ORDER BY sku_id, location_id, revision",
            row["month"],
        )
        rows_hash = hashlib.sha256(bytes(32) + b"".join(each for (each,) in packed)).digest()
        assert (row["movements"], row["rows_hash"]) == (len(packed), rows_hash)
        text = f"{row['month']:%Y-%m}".encode() + len(packed).to_bytes(8, "big")
        before = hashlib.sha256(before + text + rows_hash).digest()
        assert row["hash"] == before


@pytest.mark.usefixtures("past")
async def test_a_large_month_is_read_in_parts_and_gone_on_with(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seals, "CHUNK", 1)
    ticks = iter(range(1_000_000))
    monkeypatch.setattr(seals, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
    runs: list[object] = []
    while not runs or len(await (await database.pool()).fetch("SELECT FROM seal")) < 3:
        runs.append(await seals.seal_ended(database, NOW, seconds=4))
        assert len(runs) < 30
    assert len(runs) > 5
    assert await found(database, full=True) == []


@pytest.mark.usefixtures("past")
@pytest.mark.parametrize("table", ["movement", "movement_2025_03", "movement_default"])
async def test_a_sealed_month_takes_no_movement(database: Database, table: str) -> None:
    await seal(database)
    with pytest.raises(asyncpg.RestrictViolationError, match="month 2025-03 is closed"):
        await (await database.pool()).execute(
            f"INSERT INTO {table} VALUES (1, 1, '2025-03-31', now(), 2, 1, 1, 0, 0, 'adjust')"  # noqa: S608 -- a constant
        )


@pytest.mark.usefixtures("past")
async def test_a_late_clock_cannot_add_to_a_sealed_month(
    database: Database, ledger: Ledger, clock: HandClock, tell: Tell
) -> None:
    await seal(database)
    clock.moment = day("2025-03-31")
    with pytest.raises(asyncpg.RestrictViolationError):
        await ledger.apply([received("in-9", 1)])
    await tell("2025-04-16", received("in-9", 1))
    assert await found(database, full=True) == []


@pytest.mark.usefixtures("past")
async def test_seals_are_for_good(database: Database) -> None:
    await seal(database)
    pool = await database.pool()
    for statement in ("DELETE FROM seal", "UPDATE seal SET movements = 0", "TRUNCATE seal"):
        with pytest.raises(asyncpg.RestrictViolationError):
            await pool.execute(statement)


CHANGED = {
    "a column that no balance knows": (
        "UPDATE movement SET occurred_at = now() WHERE fact_id = 3",
        "month 2025-02: its 2 movements are not what was sealed",
    ),
    "a movement that moves nothing": (
        (
            "INSERT INTO movement SELECT fact_id, 0, recorded_at, occurred_at, 2, 1, 0, 0, 0, kind,"
            " '' FROM movement WHERE fact_id = 3"
        ),
        "month 2025-02: it holds 3 movements and was sealed with 2",
    ),
    "a number in a seal": (
        "UPDATE seal SET movements = 3 WHERE month = '2025-02-01'",
        "month 2025-02: its seal does not follow from the month before",
    ),
    "a seal that is gone": (
        "DELETE FROM seal WHERE month = '2025-02-01'",
        "month 2025-02: its seal is missing",
    ),
    "a month that is gone": (
        "DROP TABLE movement_2025_02",
        "month 2025-02: it is out of the ledger without having been detached",
    ),
}


@pytest.mark.usefixtures("past")
@pytest.mark.parametrize("change", CHANGED)
async def test_what_was_changed_in_a_sealed_month_is_named(
    database: Database, tamper: Tamper, change: str
) -> None:
    await seal(database)
    statement, expected = CHANGED[change]
    await tamper(statement)
    assert expected in await found(database, full=True)


@pytest.mark.usefixtures("past")
async def test_a_plain_proof_reads_the_newest_sealed_month(
    database: Database, tamper: Tamper
) -> None:
    await seal(database)
    proof = await prove(database, NOW)
    assert (proof.months_read, proof.month, proof.differences) == ((MARCH,), MARCH, ())
    await tamper("UPDATE movement SET line = 1 WHERE recorded_at >= '2025-03-01'"
                 " AND recorded_at < '2025-04-01'")  # fmt: skip
    assert await found(database) == ["month 2025-03: its 6 movements are not what was sealed"]


async def test_months_without_movements_are_links_of_the_chain(
    database: Database, tell: Tell, save: Save
) -> None:
    """The house was off for two months; the month it came back in lies in the default partition."""
    await save(SkuFactory.build(code="MUG"))
    await (await database.pool()).execute("SELECT make_movement_partition('2025-01-01')")
    await tell("2025-01-10", received("in-1", 1))
    await tell("2025-04-10", received("in-2", 1))

    assert await seal(database, "2025-05-02") == ["2025-01", "2025-02", MARCH, "2025-04"]

    rows = await (await database.pool()).fetch("SELECT movements FROM seal ORDER BY month")
    assert [count for (count,) in rows] == [1, 0, 0, 1]
    assert await found(database, full=True) == []


@pytest.mark.usefixtures("past")
async def test_the_worker_reads_sealed_months_again_in_turn(
    database: Database, tamper: Tamper
) -> None:
    await seal(database)
    await tamper("UPDATE movement SET line = 1 WHERE fact_id = 3")
    read = [await checks.reread(database, NOW, seconds=60) for _ in range(4)]
    assert [[str(each) for each in changed] for changed in read] == [
        [],
        ["month 2025-02: its 2 movements are not what was sealed"],
        ["month 2025-02: its 2 movements are not what was sealed"],
        ["month 2025-02: its 2 movements are not what was sealed"],
    ]
    await tamper("UPDATE movement SET line = 0 WHERE fact_id = 3")
    assert await checks.reread(database, NOW, seconds=60) == ()
