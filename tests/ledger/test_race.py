"""What a batch sees that had to wait for another."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from inventory import ledger_write
from inventory.db import Database
from inventory.facts import Outcome, StockTransferred
from inventory.ledger import Ledger
from inventory.models import Location
from tests.conftest import HandClock, Save
from tests.factories import NOON
from tests.ledger.told import levels, sale, shortages
from tests.rivals import until_waiting


async def test_a_sale_that_waited_sees_the_balance_row_made_meanwhile(
    database: Database,
    ledger: Ledger,
    clock: HandClock,
    mug: str,
    save: Save,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await save(Location(code="annex"))
    write = ledger_write.write
    rival = Ledger(database, clock)  # another process's: it has a combiner of its own
    sales: list[asyncio.Task[list[Outcome]]] = []

    async def held(*args: Any, **kwargs: Any) -> None:
        """The transfer holds its locks, and a sale comes."""
        monkeypatch.setattr(ledger_write, "write", write)
        sales.append(asyncio.create_task(rival.apply([sale("o-1", 3)])))
        await until_waiting(database, sales[0])
        assert not sales[0].done()
        await write(*args, **kwargs)

    monkeypatch.setattr(ledger_write, "write", held)
    moved = StockTransferred(
        channel_id=0,
        fact_ref="t-1",
        occurred_at=NOON,
        sku=mug,
        quantity=8,
        from_location="main",
        to_location="annex",
    )
    await ledger.apply([moved])
    await sales[0]
    assert await levels(database) == {(mug, "main"): (0, 0), (mug, "annex"): (8, 3)}
    assert await shortages(database) == {}
