"""How fast SKUs sell, measured from the books: days in stock only, kits, cancelled units."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from inventory.alerting import measure
from inventory.alerting.pace import WINDOW_DAYS
from inventory.db import Database
from inventory.facts import (
    CancellationReceived,
    Fact,
    LineUnits,
    SaleLine,
    SaleReceived,
    StockReceived,
)
from inventory.ledger import Ledger
from inventory.vocabulary import Party
from tests.conftest import HandClock, Save
from tests.factories import NOON, SkuFactory
from tests.notices.buyers import Buyers, told
from tests.recipes import put_recipe

MIDNIGHT = datetime(2026, 11, 20, 15, tzinfo=UTC)  # the 21st begins in Tokyo


def ago(days: float) -> datetime:
    """So many days before today begins in Tokyo."""
    return MIDNIGHT - timedelta(days=days)


class Books:
    """Tells the ledger what happened in the last weeks."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._told = 0

    def _name(self, at: datetime) -> dict[str, Any]:
        self._told += 1
        return {"channel_id": 0, "fact_ref": f"f-{self._told}", "occurred_at": at}

    async def _tell(self, fact: Fact) -> None:
        await self._ledger.apply([fact])

    async def receive(self, units: int, at: datetime, sku: str = "MUG") -> None:
        await self._tell(StockReceived(**self._name(at), sku=sku, quantity=units))

    async def sell(self, units: int, at: datetime, sku: str = "MUG") -> str:
        name = self._name(at)
        lines = (SaleLine(line_ref="1", sku=sku, quantity=units),)
        await self._tell(SaleReceived(**name, order_ref=name["fact_ref"], lines=lines))
        return str(name["fact_ref"])

    async def cancel(self, order_ref: str, units: int, at: datetime) -> None:
        units_of = (LineUnits(line_ref="1", quantity=units),)
        name = self._name(at)
        await self._tell(
            CancellationReceived(**name, order_ref=order_ref, by=Party.BUYER, lines=units_of)
        )


@pytest.fixture
async def books(ledger: Ledger, save: Save) -> Books:
    """The books of MUG, POT and their set, empty."""
    await save(*(SkuFactory.build(code=code) for code in ("MUG", "POT", "SET")))
    return Books(ledger)


async def measured(database: Database, now: datetime = NOON) -> dict[str, Any]:
    """SKU → (units sold, days in stock) as measured now."""
    async with database.transaction() as session:
        await measure.measure(session, now)
    pool = await database.pool()
    rows = await pool.fetch(
        "SELECT s.code, p.sold, p.days FROM sku_pace p JOIN sku s ON s.id = p.sku_id"
    )
    return {code: (sold, pytest.approx(days)) for code, sold, days in rows}


async def test_always_in_stock_counts_every_whole_day(books: Books, database: Database) -> None:
    await books.receive(500, ago(40))
    await books.sell(7, ago(28))  # the first moment of the window
    await books.sell(9, ago(29) + timedelta(hours=23))  # an hour before it
    await books.sell(20, ago(3))
    order = await books.sell(8, ago(2))
    await books.cancel(order, 3, ago(1))
    await books.sell(50, MIDNIGHT)  # today is not over

    assert await measured(database) == {"MUG": (7 + 20 + 5, WINDOW_DAYS)}


async def test_stock_out_days_are_left_out_with_their_sales(
    books: Books, database: Database
) -> None:
    await books.receive(30, ago(10))
    await books.sell(20, ago(9.5))
    await books.sell(10, ago(8) + timedelta(hours=18))  # gone at 18:00: three quarters of a day
    await books.receive(6, ago(4) + timedelta(hours=20))  # 20:00, and that day is left out
    await books.sell(4, ago(4) + timedelta(hours=21))
    await books.receive(50, ago(3))
    await books.sell(9, ago(1))

    # Days 10 and 9 whole, 8 for three quarters; 7, 6, 5 without stock, 4 almost; 3, 2 and 1 whole.
    assert await measured(database) == {"MUG": (20 + 10 + 9, 2 + 0.75 + 3)}


async def test_an_order_that_is_told_late_is_of_its_day(
    books: Books, database: Database, clock: HandClock
) -> None:
    await books.receive(100, ago(40))
    clock.moment = NOON + timedelta(days=3)
    await books.sell(6, ago(2))

    assert await measured(database) == {"MUG": (6, WINDOW_DAYS)}


async def test_parts_sell_in_kits_and_kits_are_out_with_a_part(
    books: Books, database: Database
) -> None:
    await put_recipe(database, "SET", {"MUG": 2, "POT": 1})
    await books.receive(100, ago(40))
    await books.receive(5, ago(4), sku="POT")
    await books.sell(3, ago(3), sku="SET")
    await books.sell(4, ago(2))
    await books.sell(2, ago(2), sku="SET")  # the last pots

    found = await measured(database)

    assert found["MUG"] == (3 * 2 + 4 + 2 * 2, WINDOW_DAYS)
    assert found["POT"] == (3, 2)
    assert found["SET"] == (3, 2)


async def test_without_a_day_in_stock_the_last_figure_stays(
    books: Books, database: Database
) -> None:
    await books.receive(20, ago(10))
    await books.sell(20, ago(5))
    first = await measured(database)
    assert first == {"MUG": (0, 5)}

    assert await measured(database, NOON + timedelta(days=60)) == first


async def test_each_new_day_is_measured_once_and_judged(
    database: Database, ledger: Ledger, buyers: Buyers
) -> None:
    """MUG sells ten a day, and has eight units more than it sold."""
    books = Books(ledger)
    await books.receive(282, ago(30))
    for day in range(1, 29):
        await books.sell(10, ago(day))
    await buyers.rule(level=2, kind="low_cover")  # 10 units, and nothing measured
    assert await told(database) == []

    assert await buyers.beat(NOON) == 1
    [(event, data)] = await told(database)
    assert (event, data["kind"]) == ("alert.fired", "low_cover")
    assert (data["advice"]["sold_per_day"], data["advice"]["days_of_cover"]) == (10.0, 1.0)

    assert await buyers.beat(NOON + timedelta(minutes=1)) == 0
    assert await buyers.beat(NOON + timedelta(days=1)) == 0
    pool = await database.pool()
    assert str(await pool.fetchval("SELECT until FROM sku_pace")) == "2026-11-22"
