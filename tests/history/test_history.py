"""Every unit is explained: pages of movements with the balance after each, and past balances."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from inventory import history
from inventory.db import Database
from inventory.errors import BadInput, WrongState
from inventory.history import By, MovementRow, Place, Wanted
from tests.conftest import Save
from tests.factories import SkuFactory
from tests.history.conftest import Tamper, Tell, day
from tests.ledger.told import received

TOLD = [
    ("receive", "main", 7, 0, 17, 3, "in-3"),
    ("reserve", "main", 0, 1, 10, 3, "o-3"),
    ("transfer", "in-transit", 5, 0, 5, 0, "t-1"),
    ("transfer", "main", -5, 0, 10, 2, "t-1"),
    ("release", "main", 0, -4, 15, 2, "c-1"),
    ("reserve", "main", 0, 2, 15, 6, "h-1"),
    ("reserve", "main", 0, 4, 15, 4, "o-2"),
    ("ship", "main", -3, -3, 15, 0, "s-1"),
    ("adjust", "main", -2, 0, 18, 3, "broken-1"),
    ("reserve", "main", 0, 3, 20, 3, "o-1"),
    ("receive", "main", 20, 0, 20, 0, "in-1"),
]
pytestmark = pytest.mark.usefixtures("past")


def told(row: MovementRow) -> tuple[str, str, int, int, int, int, str]:
    return (
        row.kind,
        row.location,
        row.on_hand_delta,
        row.reserved_delta,
        row.on_hand_after,
        row.reserved_after,
        row.fact_ref,
    )


async def pages(
    database: Database, sku_id: int = 1, *, limit: int = 100, wanted: Wanted | None = None
) -> list[list[MovementRow]]:
    """All pages of a SKU's movements."""
    found: list[list[MovementRow]] = []
    places: list[Place] | None = None
    async with database.sessions() as session:
        while places is None or places:
            rows, places = await history.movements(
                session, sku_id, limit=limit, wanted=wanted or Wanted(), places=places
            )
            found.append(rows)
    return found


async def balances(
    database: Database, at: datetime, *, by: By = By.RECORDED_AT
) -> dict[str, tuple[int, int]]:
    """Location → (on hand, reserved) of MUG at a moment, where there was anything."""
    async with database.sessions() as session:
        found = await history.balance(session, "MUG", 1, at=at, by=by)
    return {
        place.location: (place.on_hand, place.reserved)
        for place in found.locations
        if place.on_hand or place.reserved
    }


async def test_movements_come_newest_first_with_the_balance_after_each(database: Database) -> None:
    [rows] = await pages(database)
    assert [told(row) for row in rows] == TOLD
    assert (rows[0].channel, rows[0].fact, rows[0].recorded_at) == (
        "house",
        "receive",
        day("2025-04-02"),
    )
    assert [row.revision for row in rows if row.location == "main"] == list(range(10, 0, -1))
    assert {row.reason for row in rows} == {None, "damage"}


@pytest.mark.parametrize("limit", [1, 2, 3, 10, 11])
async def test_pages_leave_nothing_out_and_tell_nothing_twice(
    database: Database, limit: int
) -> None:
    found = await pages(database, limit=limit)
    assert [told(row) for rows in found for row in rows] == TOLD
    assert [len(rows) for rows in found[:-1]] == [limit] * (len(found) - 1)


async def test_a_sale_between_two_pages_moves_nothing(database: Database, tell: Tell) -> None:
    async with database.sessions() as session:
        first, places = await history.movements(session, 1, limit=3)
    await tell("2025-04-16", received("in-4", 100))
    async with database.sessions() as session:
        rest, ended = await history.movements(session, 1, limit=100, places=places)
    assert [told(row) for row in first + rest] == TOLD
    assert ended == []


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(location="in-transit"), TOLD[2:3]),
        (Wanted(kind="receive"), [TOLD[0], TOLD[10]]),
        (Wanted(since=day("2025-03-20")), TOLD[:6]),
        (Wanted(until=day("2025-03-05")), TOLD[8:]),
        (Wanted(since=day("2025-02-10"), until=day("2025-03-20"), kind="reserve"),
         [TOLD[6], TOLD[9]]),
        (Wanted(location="nowhere"), []),
    ],
)  # fmt: skip
@pytest.mark.parametrize("limit", [1, 100])
async def test_filters_leave_the_balances_as_they_were(
    database: Database, wanted: Wanted, expected: list[object], limit: int
) -> None:
    found = await pages(database, limit=limit, wanted=wanted)
    assert [told(row) for rows in found for row in rows] == expected


async def test_entries_of_a_location_keep_their_order_when_clocks_disagree(
    database: Database, tamper: Tamper
) -> None:
    await tamper("UPDATE movement SET recorded_at = recorded_at + interval '20 hours'"
                 " WHERE sku_id = 1 AND location_id = 1 AND revision = 2")  # fmt: skip
    for limit in (1, 4):
        found = await pages(database, limit=limit)
        main = [row for rows in found for row in rows if row.location == "main"]
        assert [row.revision for row in main] == list(range(10, 0, -1))


async def test_a_movement_without_its_fact_is_shown_all_the_same(
    database: Database, tamper: Tamper
) -> None:
    await tamper("DELETE FROM fact WHERE fact_ref = 'broken-1'")
    [rows] = await pages(database)
    assert told(rows[8]) == (*TOLD[8][:6], "")


async def test_a_balance_of_any_moment(database: Database) -> None:
    assert await balances(database, day("2025-01-09")) == {}
    assert await balances(database, day("2025-01-10")) == {"main": (20, 0)}
    assert await balances(database, day("2025-02-10")) == {"main": (20, 3)}
    second = timedelta(seconds=1)
    assert await balances(database, day("2025-02-20") - second) == {"main": (20, 3)}
    assert await balances(database, day("2025-02-28")) == {"main": (18, 3)}
    assert await balances(database, day("2025-03-31")) == {"main": (10, 2), "in-transit": (5, 0)}
    now = {"main": (17, 3), "in-transit": (5, 0)}
    assert await balances(database, day("2025-04-15")) == now
    assert await balances(database, day("2099-01-01")) == now


async def test_a_balance_by_when_things_happened(database: Database) -> None:
    """The damage of the 19th was told on the 20th."""
    at = day("2025-02-19")
    assert await balances(database, at) == {"main": (20, 3)}
    async with database.transaction() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        await connection.exec_driver_sql("UPDATE movement SET occurred_at = recorded_at"
                                         " WHERE kind <> 'adjust'")  # fmt: skip
    assert await balances(database, at, by=By.OCCURRED_AT) == {"main": (18, 3)}


async def test_totals_are_of_the_locations_for_sale(database: Database) -> None:
    async with database.sessions() as session:
        found = await history.balance(session, "MUG", 1, at=day("2025-04-15"))
    assert (found.on_hand, found.reserved, found.available) == (17, 3, 14)


async def test_a_past_whose_months_are_detached_cannot_be_told(database: Database) -> None:
    async with database.transaction() as session:
        connection = await session.connection()
        await connection.exec_driver_sql(
            "INSERT INTO seal (month, movements, rows_hash, hash, sealed_at, detached_at)"
            " VALUES ('2025-01-01', 2, '', '', now(), now())"
        )
    with pytest.raises(WrongState, match="attach 2025-01"):
        await balances(database, day("2025-01-31"))
    assert await balances(database, day("2025-02-01")) == {"main": (20, 0)}


async def test_a_sku_at_very_many_locations_must_be_asked_about_one(
    database: Database, save: Save
) -> None:
    await save(SkuFactory.build(code="SOCK"))
    pool = await database.pool()
    await pool.execute("INSERT INTO location (code) SELECT 'shelf-' || n FROM"
                       " generate_series(1, 101) AS n")  # fmt: skip
    await pool.execute("INSERT INTO movement SELECT 1, 1, now(), now(), 3, id, 1, 0, 0, 'receive'"
                       " FROM location WHERE code LIKE 'shelf-%'")  # fmt: skip
    await pool.execute("INSERT INTO stock_level SELECT 3, id, 1, 0, 1 FROM location"
                       " WHERE code LIKE 'shelf-%'")  # fmt: skip
    with pytest.raises(BadInput, match="name one"):
        await pages(database, 3)
    [[row]] = await pages(database, 3, wanted=Wanted(location="shelf-7"))
    assert row.on_hand_after == 1
