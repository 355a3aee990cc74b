"""The books are proven, and whatever does not agree is named: which SKU, where, which revision."""

from __future__ import annotations

import asyncio

import pytest

from inventory.db import Database
from inventory.ledger import Ledger
from inventory.proof import Proof, prove
from tests.conftest import HandClock
from tests.history.conftest import Tamper, Tell, day
from tests.ledger.told import received, sale, ship

pytestmark = pytest.mark.usefixtures("past")
NOW = day("2025-04-15")


async def proven(database: Database, *, full: bool = False) -> Proof:
    return await prove(database, NOW, full=full)


def named(proof: Proof) -> list[str]:
    return [f"{difference.what} {difference}" for difference in proof.differences]


async def checkpoints(database: Database) -> dict[tuple[int, int], tuple[int, int, int]]:
    rows = await (await database.pool()).fetch("SELECT * FROM checkpoint")
    return {(row[0], row[1]): (row["revision"], row["on_hand"], row["reserved"]) for row in rows}


async def test_books_that_agree_leave_a_checkpoint_for_every_balance(database: Database) -> None:
    proof = await proven(database)

    assert proof.differences == ()
    assert (proof.balances, proof.movements, proof.since) == (3, 12, None)
    transit = await (await database.pool()).fetchval(
        "SELECT id FROM location WHERE code = 'in-transit'"
    )
    assert await checkpoints(database) == {
        (1, 1): (10, 17, 3),
        (1, transit): (1, 5, 0),
        (2, 1): (1, 5, 0),
    }


async def test_the_next_proof_begins_at_the_checkpoints(database: Database, tell: Tell) -> None:
    await proven(database)
    await tell("2025-04-16", received("in-4", 1))

    second = await proven(database)
    third = await proven(database)
    full = await proven(database, full=True)

    assert (second.movements, second.since, second.differences) == (1, NOW, ())
    assert (third.movements, full.movements, full.since) == (0, 13, None)
    assert full.differences == ()
    assert (await checkpoints(database))[1, 1] == (11, 18, 3)


FAULTS = {
    "a changed delta": (
        (
            "UPDATE movement SET on_hand_delta = 21 WHERE sku_id = 1 AND revision = 1"
            " AND location_id = 1"
        ),
        (
            "sum MUG at main, revision 10: movements add up to 18 on hand and 3 reserved, the"
            " balance says 17 and 3"
        ),
    ),
    "a missing row": (
        "DELETE FROM movement WHERE sku_id = 1 AND location_id = 1 AND revision = 4",
        "gap MUG at main, revision 4: the movement is missing",
    ),
    "a missing first row": (
        "DELETE FROM movement WHERE sku_id = 1 AND location_id = 1 AND revision = 1",
        "gap MUG at main, revision 1: the movement is missing",
    ),
    "a missing last row": (
        "DELETE FROM movement WHERE sku_id = 1 AND location_id = 1 AND revision = 10",
        "gap MUG at main, revision 10: the movement is missing, the balance counts up to 10",
    ),
    "a row twice, in two months": (
        (
            "INSERT INTO movement SELECT fact_id, revision, '2025-04-14', occurred_at, sku_id,"
            " location_id, 0, 0, line, kind, reason FROM movement"
            " WHERE sku_id = 1 AND location_id = 1 AND revision = 2"
        ),
        "gap MUG at main, revision 2: two movements have it",
    ),
    "a row too many": (
        (
            "INSERT INTO movement SELECT fact_id, 11, '2025-04-14', occurred_at, sku_id,"
            " location_id, 0, 0, line, kind, reason FROM movement"
            " WHERE sku_id = 1 AND location_id = 1 AND revision = 10"
        ),
        "gap MUG at main, revision 11: a movement beyond the balance, which counts up to 10",
    ),
    "a changed balance": (
        "UPDATE stock_level SET on_hand = 6 WHERE sku_id = 2",
        (
            "sum TEE at main, revision 1: movements add up to 5 on hand and 0 reserved, the balance"
            " says 6 and 0"
        ),
    ),
    "a balance that is gone": (
        "DELETE FROM stock_level WHERE sku_id = 2",
        "no_balance TEE at main, revision 1: 1 movements and no balance",
    ),
    "movements of a SKU that never was": (
        (
            "INSERT INTO movement SELECT fact_id, 1, recorded_at, occurred_at, 99, 1, 1, 0, 0,"
            " kind, '' FROM movement WHERE sku_id = 2"
        ),
        "no_balance #99 at main, revision 1: 1 movements and no balance",
    ),
    "a fact that is gone": (
        "DELETE FROM fact WHERE fact_ref = 'in-2'",
        "no_fact TEE at main, revision 1: its fact 2 is not there",
    ),
}


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_planted_fault_is_named(
    database: Database, tamper: Tamper, fault: str, full: bool
) -> None:
    statement, expected = FAULTS[fault]
    await tamper(statement)

    proof = await proven(database, full=full)

    assert named(proof)[0] == expected
    assert len(proof.differences) == 1
    assert await checkpoints(database) == {}


SINCE = {
    "a changed delta": (
        "UPDATE movement SET on_hand_delta = 2 WHERE revision = 11",
        (
            "sum MUG at main, revision 12: the checkpoint up to 10 and movements add up to 19 on"
            " hand and 4 reserved, the balance says 18 and 4"
        ),
    ),
    "a missing row": (
        "DELETE FROM movement WHERE revision = 11",
        "gap MUG at main, revision 11: the movement is missing",
    ),
    "a fact that is gone": (
        "DELETE FROM fact WHERE fact_ref = 'o-9'",
        "no_fact MUG at main, revision 12: its fact 13 is not there",
    ),
    "a row behind an idle balance": (
        (
            "INSERT INTO movement SELECT fact_id, 2, recorded_at, occurred_at, 2, 1, 1, 0, 0, kind,"
            " '' FROM movement WHERE sku_id = 1 AND location_id = 1 AND revision = 11"
        ),
        "gap TEE at main, revision 2: a movement beyond the balance, which counts up to 1",
    ),
}


@pytest.mark.parametrize("few", [False, True])
@pytest.mark.parametrize("fault", SINCE)
async def test_a_fault_since_the_checkpoints_is_named(
    database: Database, tell: Tell, tamper: Tamper, monkeypatch: pytest.MonkeyPatch, fault: str,
    few: bool,
) -> None:  # fmt: skip
    await proven(database)
    await tell("2025-04-16", received("in-4", 1), sale("o-9"))
    statement, expected = SINCE[fault]
    await tamper(statement)
    monkeypatch.setattr("inventory.proof.FEW", 1 if few else 1_000)

    proof = await proven(database)

    assert named(proof) == [expected]
    assert (await checkpoints(database))[1, 1] == (10, 17, 3)


async def test_what_was_changed_before_a_checkpoint_is_placed_before_it(
    database: Database, tell: Tell, tamper: Tamper
) -> None:
    await proven(database)
    await tell("2025-04-16", received("in-4", 1))
    await tamper("UPDATE movement SET reserved_delta = 4 WHERE revision = 2 AND location_id = 1")

    assert named(await proven(database, full=True)) == [
        (
            "sum MUG at main, revision 10: up to it movements add up to 17 on hand and 4 reserved;"
            " when it was last proven they were 17 and 3"
        )
    ]


PROMISES = {
    "an order": (
        "UPDATE order_part SET reserved = 2 WHERE reserved = 1",
        "reserved MUG at main: orders and holds promise 4, the balance has 3 reserved",
    ),
    "a hold": (
        "DELETE FROM reservation",
        "reserved MUG at main: orders and holds promise 1, the balance has 3 reserved",
    ),
    "a transfer": (
        "UPDATE transfer SET arrived = 1",
        "in_transit MUG at in-transit: transfers under way have 4 units, the balance 5",
    ),
    "a transfer that is gone": (
        "DELETE FROM transfer",
        "in_transit MUG at in-transit: transfers under way have 0 units, the balance 5",
    ),
}


@pytest.mark.parametrize("fault", PROMISES)
async def test_promises_and_transfers_are_held_against_the_balances(
    database: Database, tamper: Tamper, fault: str
) -> None:
    statement, expected = PROMISES[fault]
    await tamper(statement)
    assert named(await proven(database)) == [expected]


async def test_a_proof_while_sales_go_on_sees_one_moment(
    database: Database, ledger: Ledger, clock: HandClock
) -> None:
    async def sell() -> None:
        for number in range(60):
            await ledger.apply([received(f"r-{number}", 1), sale(f"b-{number}")])
            await ledger.apply([ship(f"b-{number}", ref=f"x-{number}")])

    selling = asyncio.create_task(sell())
    proofs = [await proven(database, full=full) for full in (False, True, False, True, False)]
    await selling
    proofs.append(await proven(database, full=True))

    assert [proof.differences for proof in proofs] == [()] * len(proofs)
    assert proofs[-1].movements == 12 + 180


async def test_of_two_proofs_at_once_one_advances_the_checkpoints(database: Database) -> None:
    first, second = await asyncio.gather(proven(database), proven(database))
    assert first.differences == second.differences == ()
    assert len(await checkpoints(database)) == 3
