"""The books after a measurement: movements, balances, facts, and what callers were told, agree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import asyncpg
from msgspec import Struct

from inventory.bench.load import Told
from inventory.bench.place import Place

if TYPE_CHECKING:
    from asyncpg import Connection

SHOWN_MAX = 5

UNBALANCED = """
SELECT format('SKU %s at %s: balance %s/%s at %s, movements %s/%s, %s of them, from %s to %s',
  sku_id, location_id, v.on_hand, v.reserved, v.revision,
  m.on_hand, m.reserved, m.entries, m.first, m.last)
FROM stock_level v
FULL JOIN (
  SELECT sku_id, location_id, sum(on_hand_delta) AS on_hand, sum(reserved_delta) AS reserved,
    count(*) AS entries, min(revision) AS first, max(revision) AS last
  FROM movement GROUP BY sku_id, location_id
) m USING (sku_id, location_id)
WHERE (v.on_hand, v.reserved, v.revision, v.revision)
    IS DISTINCT FROM (m.on_hand, m.reserved, m.last, m.entries)
  OR m.first <> 1
"""
OVERSOLD = """
SELECT format('SKU %s is oversold: %s on hand, %s reserved', sku_id, on_hand, reserved)
FROM stock_level WHERE reserved > on_hand
"""
UNTOLD = """
SELECT format('fact %s has no movement', f.id) FROM fact f
WHERE f.outcome IS NULL AND NOT EXISTS (SELECT FROM movement m WHERE m.fact_id = f.id)
UNION ALL
SELECT format('a movement of SKU %s has no fact %s', m.sku_id, m.fact_id) FROM movement m
WHERE NOT EXISTS (SELECT FROM fact f WHERE f.id = m.fact_id)
"""
BALANCES = """
SELECT s.code, coalesce(sum(v.on_hand), 0)::bigint AS on_hand,
  coalesce(sum(v.reserved), 0)::bigint AS reserved
FROM sku s LEFT JOIN stock_level v ON v.sku_id = s.id GROUP BY s.code
"""


class Books(Struct, frozen=True, kw_only=True):
    """What was found. Without `faults` everything agrees; deadlocks are counted apart."""

    facts: int
    movements: int
    deadlocks: int
    faults: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether everything agrees."""
        return not self.faults


class Opening(Struct, frozen=True):
    """Units on hand and reserved per SKU code before anybody called."""

    balances: Mapping[str, tuple[int, int]]
    holds: int


async def opening(place: Place) -> Opening:
    """The balances as they are now."""
    connection = await asyncpg.connect(place.url)
    try:
        return Opening(await _balances(connection), await _holds(connection))
    finally:
        await connection.close()


async def check(place: Place, before: Opening, told: Told, *, whole: bool = True) -> Books:
    """Compare everything; nobody may be writing. At most five faults of a sort are named.

    Without `whole` the movements are not added up, which takes minutes where they are millions.
    """
    connection = await asyncpg.connect(place.url)
    try:
        faults = []
        for query in (UNBALANCED, UNTOLD, OVERSOLD) if whole else (OVERSOLD,):
            rows = await connection.fetch(f"{query} LIMIT {SHOWN_MAX}")
            faults += [str(row[0]) for row in rows]
        faults += _misled(place, before, await _balances(connection), told)
        granted = await _holds(connection) - before.holds
        if granted != told.grants:
            faults.append(f"{told.grants} holds were granted, {granted} are in the books")
        return Books(
            facts=await connection.fetchval("SELECT count(*) FROM fact"),
            movements=await connection.fetchval("SELECT count(*) FROM movement"),
            deadlocks=await connection.fetchval(
                "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
            ),
            faults=tuple(faults),
        )
    finally:
        await connection.close()


async def _balances(connection: Connection) -> dict[str, tuple[int, int]]:
    rows = await connection.fetch(BALANCES)
    return {row["code"]: (row["on_hand"], row["reserved"]) for row in rows}


async def _holds(connection: Connection) -> int:
    count: int = await connection.fetchval(
        "SELECT count(*) FROM fact WHERE kind = 'reserve' AND outcome IS NULL"
    )
    return count


def _misled(
    place: Place, before: Opening, now: Mapping[str, tuple[int, int]], told: Told
) -> list[str]:
    """SKUs whose balance did not move by what callers were told."""
    wrong = []
    for number, code in enumerate(place.codes):
        on_hand, reserved = before.balances[code]
        expected = (on_hand + told.adjusted[number], reserved + told.reserved[number])
        if now[code] != expected:
            wrong.append(f"{code}: callers were told {expected}, the balance is {now[code]}")
    return wrong[:SHOWN_MAX]
