"""Old months leave the ledger and come back; the books are proven without them."""

from __future__ import annotations

import asyncpg
import pytest
from sqlalchemy import text

from inventory import archive
from inventory.db import Database
from inventory.errors import BadInput, InventoryError, NotFound, WrongState
from inventory.partitions import parsed
from inventory.proof import prove
from inventory.seals import seal_ended
from tests.history.conftest import Tamper, Tell, day
from tests.history.test_history import balances
from tests.ledger.told import received

pytestmark = pytest.mark.usefixtures("past")
NOW = day("2025-04-15")


async def detach(database: Database, *names: str) -> None:
    for name in names:
        await archive.detach(database, parsed(name), NOW)


async def attach(database: Database, *names: str) -> None:
    for name in names:
        await archive.attach(database, parsed(name), NOW)


async def ready(database: Database) -> None:
    """Sealed up to March and proven."""
    await seal_ended(database, NOW)
    assert (await prove(database, NOW)).differences == ()


async def carried(database: Database) -> dict[tuple[int, int], tuple[int, int, int]]:
    rows = await (await database.pool()).fetch("SELECT * FROM carried")
    return {(row[0], row[1]): (row["revision"], row["on_hand"], row["reserved"]) for row in rows}


async def full(database: Database) -> tuple[int, list[str]]:
    """Movements added up by a full proof, and what it found."""
    proof = await prove(database, NOW, full=True)
    return proof.movements, [str(each) for each in proof.differences]


async def test_months_go_oldest_first_and_the_proof_begins_where_the_rest_begins(
    database: Database, tell: Tell
) -> None:
    await ready(database)
    assert await full(database) == (12, [])

    await detach(database, "2025-01")
    assert await carried(database) == {(1, 1): (1, 20, 0), (2, 1): (1, 5, 0)}
    assert await full(database) == (10, [])

    await detach(database, "2025-02", "2025-03")
    assert (await carried(database))[1, 1] == (8, 10, 2)
    assert await full(database) == (2, [])

    await tell("2025-04-16", received("in-4", 1))
    assert (await prove(database, NOW)).differences == ()
    assert await full(database) == (3, [])
    assert await balances(database, day("2025-04-01")) == {"main": (10, 2), "in-transit": (5, 0)}


async def test_months_come_back_newest_first(database: Database) -> None:
    await ready(database)
    await detach(database, "2025-01", "2025-02")

    await attach(database, "2025-02")
    assert (await carried(database))[1, 1] == (1, 20, 0)
    assert await full(database) == (10, [])

    await attach(database, "2025-01")
    assert await carried(database) == {}
    assert await full(database) == (12, [])
    with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
        await (await database.pool()).execute("DELETE FROM movement_2025_01")
    await detach(database, "2025-01")
    assert await full(database) == (10, [])


async def test_a_detached_month_is_kept_as_it_was(database: Database) -> None:
    await ready(database)
    await detach(database, "2025-01")
    pool = await database.pool()
    for statement in (
        "DELETE FROM movement_2025_01",
        "UPDATE movement_2025_01 SET line = 1",
        "TRUNCATE movement_2025_01",
        "INSERT INTO movement_2025_01 SELECT * FROM movement_2025_01",
        "INSERT INTO movement VALUES (1, 1, '2025-01-31', now(), 2, 1, 1, 0, 0, 'adjust')",
    ):
        with pytest.raises(asyncpg.RestrictViolationError):
            await pool.execute(statement)


async def test_a_detached_month_may_be_dropped_and_restored(
    database: Database, tamper: Tamper
) -> None:
    await ready(database)
    await detach(database, "2025-01")
    await tamper("ALTER TABLE movement_2025_01 RENAME TO archived")
    assert await full(database) == (10, [])
    with pytest.raises(WrongState, match="restore the table of month 2025-01"):
        await attach(database, "2025-01")
    await tamper("ALTER TABLE archived RENAME TO movement_2025_01")
    await attach(database, "2025-01")
    assert await full(database) == (12, [])


async def test_a_month_that_was_changed_meanwhile_does_not_come_back(
    database: Database, tamper: Tamper
) -> None:
    await ready(database)
    await detach(database, "2025-01")
    await tamper("UPDATE movement_2025_01 SET on_hand_delta = 19 WHERE sku_id = 1")
    assert await full(database) == (10, ["month 2025-01: its 2 movements are not what was sealed"])
    with pytest.raises(WrongState, match="not what was sealed"):
        await attach(database, "2025-01")


async def test_what_is_carried_is_proven_too(database: Database, tamper: Tamper) -> None:
    await ready(database)
    await detach(database, "2025-01")
    await tamper("UPDATE carried SET on_hand = 21 WHERE sku_id = 1")
    assert await full(database) == (
        10,
        [
            (
                "MUG at main, revision 10: up to it movements add up to 18 on hand and 3 reserved;"
                " when it was last proven they were 17 and 3"
            )
        ],
    )


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("2025-02", WrongState, "detach 2025-01 first"),
        ("2025-04", WrongState, "month 2025-04 is open"),
        ("2024-12", NotFound, "no month 2024-12"),
        ("2025-13", BadInput, "is no month"),
    ],
)
async def test_months_that_cannot_go(
    database: Database, name: str, error: type[InventoryError], said: str
) -> None:
    await ready(database)
    with pytest.raises(error, match=said):
        await detach(database, name)
    assert await full(database) == (12, [])


async def test_a_month_that_is_not_sealed_or_not_proven_stays(
    database: Database, tamper: Tamper
) -> None:
    with pytest.raises(WrongState, match="only a sealed one"):
        await archive.detach(database, parsed("2025-01"), NOW)
    await ready(database)
    await tamper("UPDATE checkpoint SET revision = 0 WHERE sku_id = 2")
    with pytest.raises(WrongState, match="1 balances of month 2025-01 have no checkpoint"):
        await detach(database, "2025-01")
    with pytest.raises(WrongState, match="is not detached"):
        await attach(database, "2025-01")


async def test_nobody_waits_for_a_month_that_is_being_read(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "LOCK_SECONDS", 0.1)
    await ready(database)
    async with database.transaction() as session:
        await session.execute(text("SELECT FROM movement LIMIT 1"))
        with pytest.raises(WrongState, match="read at length"):
            await detach(database, "2025-01")
    assert await full(database) == (12, [])
    assert await carried(database) == {}
