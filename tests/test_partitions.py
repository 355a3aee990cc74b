"""A month's partition of the movements is made, or is not needed any more."""

from __future__ import annotations

from datetime import UTC, datetime

from inventory.db import Database
from inventory.facts import StockReceived
from inventory.ledger import Ledger
from tests.conftest import HandClock, Save
from tests.factories import NOON, SkuFactory

LONG_AFTER = datetime(2029, 3, 5, tzinfo=UTC)


def received(ref: str) -> StockReceived:
    return StockReceived(channel_id=0, fact_ref=ref, occurred_at=NOON, sku="MUG", quantity=1)


async def test_a_month_that_began_in_the_default_partition_stays_there(
    database: Database, ledger: Ledger, clock: HandClock, save: Save
) -> None:
    """The house was off for years: nobody made the partition of the month it came back in."""
    await save(SkuFactory.build(code="MUG"))
    clock.moment = LONG_AFTER
    await ledger.apply([received("in-1")])
    pool = await database.pool()
    for day in ("2029-03-05", "2029-03-31", "2029-04-01", "2029-04-01"):
        await pool.execute(f"SELECT make_movement_partition('{day}')")
    await ledger.apply([received("in-2")])
    clock.moment = LONG_AFTER.replace(month=4)
    await ledger.apply([received("in-3")])
    rows = await pool.fetch("SELECT tableoid::regclass::text FROM movement ORDER BY recorded_at")
    assert [name for (name,) in rows] == ["movement_default"] * 2 + ["movement_2029_04"]
