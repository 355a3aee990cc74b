"""Four months of a small shop, told month by month."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from arro3.core import Table

from inventory.db import Database
from inventory.facts import (
    AdjustReason,
    Fact,
    ReservationAsked,
    SaleLine,
    StockAdjusted,
    TransferSent,
)
from inventory.ledger import Ledger
from tests.api.conftest import app, caller, rings, settings  # noqa: F401 -- fixtures
from tests.conftest import HandClock, Save
from tests.factories import SkuFactory
from tests.ledger.told import cancel, received, sale, ship

MONTHS = ("2025-01", "2025-02", "2025-03", "2025-04")
Tamper = Callable[[str], Awaitable[None]]
Tell = Callable[..., Awaitable[None]]


def day(text: str) -> datetime:
    """Noon of a day, UTC."""
    return datetime.fromisoformat(f"{text}T12:00:00").replace(tzinfo=UTC)


def values(table: Table, column: str) -> list[Any]:
    """A column of what was read from a Parquet file."""
    scalars: Any = table.column(column)
    return [scalar.as_py() for scalar in scalars]


def hold(ref: str, quantity: int) -> ReservationAsked:
    lines = (SaleLine(line_ref="1", sku="MUG", quantity=quantity),)
    return ReservationAsked(channel_id=0, fact_ref=ref, occurred_at=day("2025-03-20"), lines=lines)


def damaged(ref: str, units: int) -> StockAdjusted:
    return StockAdjusted(
        channel_id=0,
        fact_ref=ref,
        occurred_at=day("2025-02-19"),
        sku="MUG",
        reason=AdjustReason.DAMAGE,
        change=-units,
    )


def sent(ref: str, units: int) -> TransferSent:
    return TransferSent(
        channel_id=0,
        fact_ref=ref,
        occurred_at=day("2025-03-25"),
        sku="MUG",
        quantity=units,
        from_location="main",
        to_location="damaged",
    )


@pytest.fixture
def tell(ledger: Ledger, clock: HandClock) -> Tell:
    """Record facts on a day."""

    async def tell(on: str, *facts: Fact) -> None:
        clock.moment = day(on)
        for outcome in await ledger.apply(facts):
            assert outcome.status in {"recorded", "granted"}, outcome

    return tell


@pytest.fixture
async def past(database: Database, clock: HandClock, save: Save, tell: Tell) -> None:
    """MUG moves in four months, TEE in the first alone; it is the middle of April."""
    pool = await database.pool()
    for month in MONTHS:
        await pool.execute(f"SELECT make_movement_partition('{month}-01')")
    await save(SkuFactory.build(code="MUG"), SkuFactory.build(code="TEE"))
    await tell("2025-01-10", received("in-1", 20), received("in-2", 5, sku="TEE"))
    await tell("2025-02-10", sale("o-1", 3))
    await tell("2025-02-20", damaged("broken-1", 2))
    await tell("2025-03-05", ship("o-1", ref="s-1"), sale("o-2", 4))
    await tell("2025-03-20", hold("h-1", 2), cancel("o-2", ref="c-1"))
    await tell("2025-03-25", sent("t-1", 5))
    await tell("2025-04-02", sale("o-3", 1), received("in-3", 7))
    clock.moment = day("2025-04-15")


@pytest.fixture
def tamper(database: Database) -> Tamper:
    """Changes what nobody may change, past every trigger, as only a superuser could."""

    async def tamper(statement: str) -> None:
        async with (await database.pool()).acquire() as connection, connection.transaction():
            await connection.execute("SET LOCAL session_replication_role = replica")
            await connection.execute(statement)

    return tamper
