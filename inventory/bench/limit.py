"""The limit: the best set-based SQL that writes the rows of many sales from the client's arrays.

It reads nothing and decides nothing: no name is looked up, no stock is compared. One statement
is one transaction. Ids of facts are the client's, from values of the sequence taken in advance,
or the database's; the quicker of the two is used.
"""

from __future__ import annotations

import itertools
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
from msgspec import Struct

from inventory.bench.load import Loop, Meter
from inventory.bench.place import Place
from inventory.bench.scenarios import Basket, Scenario

if TYPE_CHECKING:
    from asyncpg import Connection

BATCHES = (100, 300, 1_000, 3_000)
CONNECTIONS = (1, 2, 4, 8)
# Values of the sequence that a run takes in advance.
IDS = 100_000_000

MOVEMENT = """
INSERT INTO movement (fact_id, revision, recorded_at, occurred_at, sku_id, location_id,
  on_hand_delta, reserved_delta, line, kind)"""
HOT_BALANCE = """
WITH balance AS (
  UPDATE stock_level SET reserved = reserved + $3, revision = revision + $3
  WHERE sku_id = $4 AND location_id = $5 RETURNING revision - $3 AS base
)"""
HOT_SERIES = f"""{HOT_BALANCE}, told AS (
  INSERT INTO fact (id, recorded_at, content_hash, channel_id, kind, fact_ref)
  SELECT $7::bigint + n, now(), h, $6, 'reserve', r
  FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS new (r, h, n)
){MOVEMENT}
SELECT $7::bigint + n, base + n, now(), now(), $4, $5, 0, 1, 0, 'reserve'
FROM generate_series(1, $3::int) AS n, balance
"""  # noqa: S608 -- put together from constants
HOT_RETURNING = f"""{HOT_BALANCE}, told AS (
  INSERT INTO fact (recorded_at, content_hash, channel_id, kind, fact_ref)
  SELECT now(), h, $6, 'reserve', r FROM unnest($1::text[], $2::bigint[]) AS new (r, h)
  RETURNING id
){MOVEMENT}
SELECT id, base + row_number() OVER (), now(), now(), $4, $5, 0, 1, 0, 'reserve'
FROM told, balance
"""  # noqa: S608 -- put together from constants
# One connection needs no order of locks; several lock the balances in order of SKU.
UNORDERED = """
WITH wanted AS (
  SELECT * FROM unnest($3::int[], $4::int[]) AS told (sku_id, units)
)"""
ORDERED = """
WITH wanted AS MATERIALIZED (
  SELECT sku_id, units FROM stock_level
  JOIN unnest($3::int[], $4::int[]) AS told (sku_id, units) USING (sku_id)
  WHERE location_id = $5 ORDER BY sku_id FOR UPDATE OF stock_level
)"""
MANY = f"""{{wanted}}, balance AS (
  UPDATE stock_level v SET reserved = v.reserved + units, revision = v.revision + units
  FROM wanted WHERE v.sku_id = wanted.sku_id AND v.location_id = $5
  RETURNING v.sku_id, v.revision - units AS base
), told AS (
  INSERT INTO fact (id, recorded_at, content_hash, channel_id, kind, fact_ref)
  SELECT $7::bigint + n, now(), h, $6, 'reserve', r
  FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS new (r, h, n)
){MOVEMENT}
SELECT $7::bigint + n, base + place, now(), now(), sku_id, $5, 0, 1, line, 'reserve'
FROM unnest($8::int[], $9::int[], $10::smallint[], $11::int[]) AS new (n, sku_id, line, place)
JOIN balance USING (sku_id)
"""  # noqa: S608 -- put together from constants


class Tuning(Struct, frozen=True, kw_only=True):
    """One way to reach the limit."""

    batch: int
    connections: int = 1
    returning: bool = False

    def __str__(self) -> str:
        """As it stands in the report."""
        ids = ", ids returned" if self.returning else ""
        many = f"{self.connections} connection{'s' if self.connections > 1 else ''}"
        return f"{self.batch} a batch, {many}{ids}"


def tunings(scenario: Scenario) -> list[Tuning]:
    """What is tried: one hot balance on one connection, anything else on one to eight."""
    if scenario.skus == 1:
        tried = itertools.product(BATCHES, (False, True))
        return [Tuning(batch=batch, returning=returning) for batch, returning in tried]
    return [
        Tuning(batch=batch, connections=count)
        for batch, count in itertools.product(BATCHES, CONNECTIONS)
    ]


@asynccontextmanager
async def limit(
    place: Place, scenario: Scenario, tuning: Tuning, asked: Iterator[tuple[str, Basket]]
) -> AsyncIterator[list[Loop]]:
    """One loop per connection, each writing batch after batch."""
    async with AsyncExitStack() as stack:
        connections = []
        for _ in range(tuning.connections):
            connection = await asyncpg.connect(place.url)
            stack.push_async_callback(connection.close)
            connections.append(connection)
        first = await connections[0].fetchval(
            "SELECT setval('fact_id_seq', nextval('fact_id_seq') + $1::bigint) - $1::bigint", IDS
        )
        ids = itertools.count(first, tuning.batch)
        writer = _Hot if scenario.skus == 1 else _Many
        yield [writer(place, tuning, each, asked, ids).loop for each in connections]


class _Writer(ABC):
    def __init__(
        self,
        place: Place,
        tuning: Tuning,
        connection: Connection,
        asked: Iterator[tuple[str, Basket]],
        ids: Iterator[int],
    ) -> None:
        self.place = place
        self.tuning = tuning
        self._connection = connection
        self._asked = asked
        self._ids = ids

    async def loop(self, meter: Meter) -> None:
        """Write until the measurement ends."""
        statement = await self._connection.prepare(self.statement())
        while not meter.ended:
            told = list(itertools.islice(self._asked, self.tuning.batch))
            lots = [basket for _, basket in told]
            began = time.perf_counter()
            names = [ref for ref, _ in told]
            await statement.fetch(
                names, list(map(hash, names)), *self.arguments(lots, next(self._ids))
            )
            meter.note_many(lots, time.perf_counter() - began)

    @abstractmethod
    def statement(self) -> str:
        """What writes one batch."""

    @abstractmethod
    def arguments(self, lots: Sequence[Basket], first_id: int) -> tuple[Any, ...]:
        """What the statement is told of a batch, beside names and hashes."""


class _Hot(_Writer):
    """All sales are of the first SKU."""

    def statement(self) -> str:
        return HOT_RETURNING if self.tuning.returning else HOT_SERIES

    def arguments(self, lots: Sequence[Basket], first_id: int) -> tuple[Any, ...]:
        place = self.place
        shared = (len(lots), place.sku_ids[0], place.location_id, place.channel_id)
        return shared if self.tuning.returning else (*shared, first_id)


class _Many(_Writer):
    """Sales of any SKUs: the client sorts the balances and numbers each one's entries."""

    def statement(self) -> str:
        return MANY.format(wanted=UNORDERED if self.tuning.connections == 1 else ORDERED)

    def arguments(self, lots: Sequence[Basket], first_id: int) -> tuple[Any, ...]:
        place = self.place
        units: Counter[int] = Counter()
        facts, skus, lines, places = [], [], [], []
        for fact, basket in enumerate(lots, 1):
            for line, number in enumerate(basket):
                units[number] += 1
                facts.append(fact)
                skus.append(place.sku_ids[number])
                lines.append(line)
                places.append(units[number])
        wanted = {place.sku_ids[number]: count for number, count in sorted(units.items())}
        balances = (list(wanted), list(wanted.values()), place.location_id, place.channel_id)
        return (*balances, first_id, facts, skus, lines, places)
