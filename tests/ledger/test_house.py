"""Stocktakes, locations, reservations, and a history that cannot be changed."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from inventory.db import Database
from inventory.facts import (
    AdjustReason,
    Condition,
    LineUnits,
    ReservationReleased,
    ReturnAccepted,
    Status,
    StockAdjusted,
    StockTransferred,
)
from inventory.ledger import Ledger
from inventory.models import Location
from tests.conftest import Save
from tests.factories import NOON
from tests.ledger.told import ask, cancel, levels, received, sale, shortages, statuses


async def test_stocktake_damage_return_and_transfer(
    database: Database, ledger: Ledger, mug: str, save: Save
) -> None:
    await save(Location(code="annex"))
    named: dict[str, Any] = {"channel_id": 0, "occurred_at": NOON, "sku": mug}
    outcomes = await ledger.apply(
        [
            StockAdjusted(fact_ref="a-1", reason=AdjustReason.COUNT, on_hand=7, **named),
            StockAdjusted(fact_ref="a-2", reason=AdjustReason.DAMAGE, change=-2, **named),
            StockAdjusted(fact_ref="a-3", reason=AdjustReason.LOSS, change=-6, **named),
            ReturnAccepted(fact_ref="b-1", quantity=1, condition=Condition.SELLABLE, **named),
            StockTransferred(
                fact_ref="t-1", quantity=4, from_location="main", to_location="annex", **named
            ),
            StockTransferred(
                fact_ref="t-2", quantity=3, from_location="main", to_location="annex", **named
            ),
        ]
    )
    assert [outcome.code for outcome in outcomes] == [
        "",
        "",
        "on_hand_below_zero",
        "",
        "",
        "insufficient_stock",
    ]
    assert await levels(database) == {(mug, "main"): (2, 0), (mug, "annex"): (4, 0)}


async def test_a_sale_takes_the_second_location_when_the_first_is_empty(
    database: Database, ledger: Ledger, mug: str, save: Save
) -> None:
    await save(Location(code="annex"))
    await ledger.apply([received("in-2", 5, location="annex"), sale("o-1", 10)])
    assert await levels(database) == {(mug, "main"): (8, 8), (mug, "annex"): (5, 2)}
    await ledger.apply([cancel("o-1", LineUnits(line_ref="1", quantity=3))])
    assert await levels(database) == {(mug, "main"): (8, 7), (mug, "annex"): (5, 0)}


async def test_an_order_fulfils_its_reservation_in_one_step(
    database: Database, ledger: Ledger, mug: str
) -> None:
    await ledger.apply([ask("r-1", 8)])
    [outcome] = await ledger.apply([sale("o-1", 8, reservation_ref="r-1")])
    assert outcome.status is Status.RECORDED
    assert await levels(database) == {(mug, "main"): (8, 8)}
    assert await shortages(database) == {}


async def test_a_reservation_is_given_back_once(
    database: Database, ledger: Ledger, mug: str
) -> None:
    def release(ref: str, hold: str) -> ReservationReleased:
        return ReservationReleased(
            channel_id=0, fact_ref=ref, occurred_at=NOON, reservation_ref=hold
        )

    await ledger.apply([ask("r-1", 2)])
    outcomes = await ledger.apply([release("x-1", "r-1"), release("x-2", "r-1")])
    [unknown] = await ledger.apply([release("x-3", "never")])
    assert statuses(outcomes) == [Status.RECORDED, Status.RECORDED]
    assert unknown.code == "unknown_reservation"
    assert await levels(database) == {(mug, "main"): (8, 0)}


async def test_two_first_sales_of_a_sku_at_once(
    database: Database, ledger: Ledger, mug: str
) -> None:
    await asyncio.gather(*(ledger.apply([sale(f"t-{n}", sku="TEE")]) for n in range(12)))
    assert (await levels(database))["TEE", "main"] == (0, 12)


@pytest.mark.parametrize("table", ["fact", "movement", "movement_default"])
@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET kind = 'x'", "TRUNCATE {}"])
async def test_history_cannot_be_changed(
    database: Database, mug: str, table: str, change: str
) -> None:
    pool = await database.pool()
    before = await pool.fetchval("SELECT count(*) FROM movement")
    if table == "movement_default":
        await pool.execute(
            "INSERT INTO movement SELECT fact_id, 99, '2020-01-01', occurred_at, sku_id,"
            " location_id, 0, 0, 9, kind, reason FROM movement"
        )
        before *= 2
    with pytest.raises(asyncpg.PostgresError, match="append-only"):
        await pool.execute(change.format(table) + (" CASCADE" if "TRUNC" in change else ""))
    assert await pool.fetchval("SELECT count(*) FROM movement") == before
    assert mug
