"""The proof on a schedule: what the worker finds stays in health, by name, until it is right."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from inventory import checks, health
from inventory.config import Settings
from inventory.db import Database
from inventory.seals import seal_ended
from tests.conftest import HandClock
from tests.history.conftest import Tamper, day

pytestmark = pytest.mark.usefixtures("past")


async def ledger_findings(database: Database, clock: HandClock) -> dict[str, str]:
    settings = Settings(
        database_url="", redis_url="", secret_key="s" * 40, data_dir=Path("nowhere")
    )
    async with database.sessions() as session:
        found = await health.findings(session, settings, clock.now())
    return {each.what: each.detail for each in found if each.what.startswith("ledger")}


async def test_what_the_check_finds_stays_in_health(
    database: Database, clock: HandClock, tamper: Tamper
) -> None:
    await seal_ended(database, clock.now())
    assert (await checks.check(database, clock.now())).differences == ()
    assert await ledger_findings(database, clock) == {}

    await tamper("UPDATE stock_level SET on_hand = 4 WHERE sku_id = 2")
    found = await checks.check(database, clock.now())
    assert [str(each) for each in found.differences] == [
        (
            "TEE at main, revision 1: the checkpoint up to 1 and movements add up to 5 on hand and"
            " 0 reserved, the balance says 4 and 0"
        )
    ]
    clock.moment += timedelta(hours=2)
    assert await ledger_findings(database, clock) == {
        "ledger_unbalanced": f"1 differences, first {found.differences[0]}"
    }

    await tamper("UPDATE stock_level SET on_hand = 5 WHERE sku_id = 2")
    await checks.check(database, clock.now())
    assert await ledger_findings(database, clock) == {}


async def test_a_changed_month_stays_in_health(
    database: Database, clock: HandClock, tamper: Tamper
) -> None:
    await seal_ended(database, clock.now())
    await tamper("UPDATE movement SET line = 1 WHERE recorded_at < '2025-02-01'")
    for _ in range(3):
        await checks.check(database, clock.now())
        assert await ledger_findings(database, clock) == {
            "ledger_unbalanced": "1 differences, first month 2025-01: its 2 movements are not"
            " what was sealed"
        }


async def test_a_month_that_waits_long_for_its_seal_is_told(
    database: Database, clock: HandClock
) -> None:
    clock.moment = day("2025-02-01")
    await checks.check(database, clock.now())
    assert await ledger_findings(database, clock) == {}
    clock.moment = day("2025-02-02")
    await checks.check(database, clock.now())
    assert await ledger_findings(database, clock) == {
        "ledger_unsealed": "month 2025-01 has ended and is not sealed"
    }
    clock.moment += timedelta(hours=2)
    assert (await ledger_findings(database, clock)).keys() == {
        "ledger_unsealed",
        "ledger_unchecked",
    }
