"""What the clock rings for: the books are proven, ended months sealed, partitions made ahead."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from inventory.config import Settings
from inventory.db import Database
from inventory.models import Switch
from tests.conftest import HandClock
from tests.history.conftest import Tamper
from workers import sweep
from workers.runtime import Runtime

pytestmark = pytest.mark.usefixtures("past")


@pytest.fixture
async def runtime(settings: Settings, clock: HandClock) -> AsyncIterator[Runtime]:
    """A worker's parts."""
    runtime = Runtime(settings, clock=clock)
    yield runtime
    await runtime.aclose()


async def test_months_are_sealed_and_partitions_made(runtime: Runtime, database: Database) -> None:
    await sweep.tidy(runtime)
    pool = await database.pool()
    assert [f"{month:%Y-%m}" for (month,) in await pool.fetch("SELECT month FROM seal")] == [
        "2025-01",
        "2025-02",
        "2025-03",
    ]
    assert await pool.fetchval(
        "SELECT to_regclass('movement_' || to_char((now() AT TIME ZONE 'UTC')"
        " + interval '1 month', 'YYYY_MM')) IS NOT NULL"
    )


async def test_sales_do_not_wait_for_a_partition_that_has_to_wait(
    runtime: Runtime, database: Database, monkeypatch: pytest.MonkeyPatch, tamper: Tamper
) -> None:
    monkeypatch.setattr(sweep, "LOCK_SECONDS", 0.1)
    pool = await database.pool()
    newest = await pool.fetchval("SELECT max(relname) FROM pg_class WHERE relname LIKE"
                                 " 'movement_20%' AND relkind = 'r'")  # fmt: skip
    await tamper(f"DROP TABLE {newest}")
    async with database.transaction() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("SELECT FROM movement LIMIT 1")
        with pytest.raises(Exception, match="lock timeout"):
            await sweep.tidy(runtime)
    await sweep.tidy(runtime)
    assert await pool.fetchval("SELECT to_regclass($1) IS NOT NULL", newest)


async def test_the_books_are_proven(runtime: Runtime, database: Database, tamper: Tamper) -> None:
    await sweep.tidy(runtime)
    assert await sweep.check(runtime) == 0
    await tamper("UPDATE stock_level SET reserved = 1 WHERE sku_id = 2")
    assert await sweep.check(runtime) == 2
    async with database.sessions() as session:
        switch = await session.get_one(Switch, "ledger_check")
    assert [each["what"] for each in switch.value["differences"]] == ["sum", "reserved"]
    assert switch.value["month"] == "2025-03"
