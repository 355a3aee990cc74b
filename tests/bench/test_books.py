"""The books after a measurement: they agree when all is well, and name a fault that was planted."""

from __future__ import annotations

import asyncpg
import pytest

from inventory.bench import books
from inventory.bench.load import Told
from inventory.bench.naive import naive
from inventory.bench.place import Place

MOVEMENT = """
INSERT INTO movement (fact_id, revision, recorded_at, occurred_at, sku_id, location_id,
  on_hand_delta, reserved_delta, line, kind)
VALUES (10000, 77, now(), now(), 2, 1, 0, 1, 0, 'reserve')
"""
FACT = """
INSERT INTO fact (recorded_at, content_hash, channel_id, kind, fact_ref)
VALUES (now(), 1, 0, 'adjust', 'lost')
"""


async def _plant(where: Place, *statements: str) -> None:
    connection = await asyncpg.connect(where.url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _sold(where: Place) -> tuple[books.Opening, Told]:
    """Three holds: two of SKU 0, one of SKU 1."""
    before, told = await books.opening(where), Told()
    async with naive(where) as sell:
        for ref, number in (("o-1", 0), ("o-2", 0), ("o-3", 1)):
            assert await sell(ref, (number,))
            told.grants += 1
            told.reserved[number] += 1
    return before, told


async def test_books_agree_after_sales(where: Place) -> None:
    before, told = await _sold(where)

    found = await books.check(where, before, told)

    assert found.faults == ()
    assert found.ok
    assert found.deadlocks == 0
    # 61 SKUs were delivered, fifty of them five times.
    assert (found.facts, found.movements) == (61 + 4 * 50 + 3, 61 + 4 * 50 + 3)


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        ("UPDATE stock_level SET reserved = reserved + 1 WHERE sku_id = 2", "SKU 2 at 1: balance"),
        ("UPDATE stock_level SET revision = 9 WHERE sku_id = 2", "SKU 2 at 1: balance"),
        ("UPDATE stock_level SET on_hand = 1 WHERE sku_id = 1", "SKU 1 is oversold"),
        (MOVEMENT, "a movement of SKU 2 has no fact 10000"),
        (FACT, "has no movement"),
    ],
)
async def test_a_planted_fault_is_named(where: Place, fault: str, named: str) -> None:
    before, told = await _sold(where)

    await _plant(where, fault)
    found = await books.check(where, before, told)

    assert not found.ok
    assert any(named in text for text in found.faults), found.faults


async def test_a_gap_in_a_chain_is_named(where: Place) -> None:
    before, told = await _sold(where)

    # One entry of nothing, two revisions later, with a balance that says so.
    await _plant(
        where,
        "INSERT INTO movement SELECT fact_id, revision + 2, recorded_at, occurred_at, sku_id,"
        " location_id, 0, 0, line, kind, reason FROM movement WHERE sku_id = 2"
        " ORDER BY revision DESC LIMIT 1",
        "UPDATE stock_level SET revision = revision + 2 WHERE sku_id = 2",
    )
    found = await books.check(where, before, told)

    assert [text for text in found.faults if text.startswith("SKU 2 at 1: balance")]


async def test_what_callers_were_told_must_be_in_the_books(where: Place) -> None:
    before, told = await _sold(where)

    told.grants += 1
    told.reserved[1] += 1
    found = await books.check(where, before, told)

    assert "4 holds were granted, 3 are in the books" in found.faults
    assert any(text.startswith("SKU-00001: callers were told") for text in found.faults)
