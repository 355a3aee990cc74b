"""A table that has grown: the same sales with twenty million movements in it as in an empty one."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from inventory.bench import books
from inventory.bench.books import Books
from inventory.bench.load import Told, caller
from inventory.bench.ours import ours
from inventory.bench.place import Place
from inventory.bench.scenarios import Scenario, sales
from inventory.bench.stand import Sample, Stand, finish, write_all
from inventory.errors import WrongState

MOVEMENTS = 20_000_000
CHUNK = 1_000_000
FILLERS = 2
FREE_BYTES_MIN = 15 * 10**9
FILL_SECONDS_MAX = 600

# Foreign keys and append-only triggers are the house's; here they would only take time.
QUICK = "SET session_replication_role = replica"
FACTS = """
INSERT INTO fact (id, recorded_at, content_hash, channel_id, kind, fact_ref)
SELECT $1::bigint + n, now(), n, 0, 'adjust', 'fill-' || lpad(n::text, 15, '0')
FROM generate_series($2::bigint, $3::bigint - 1) AS n
"""
# One unit up, one unit down: each SKU's entries go on from its newest one and add up to nothing.
ENTRIES = """
WITH level AS MATERIALIZED (
  SELECT sku_id, revision, row_number() OVER (ORDER BY sku_id) - 1 AS place
  FROM stock_level WHERE location_id = $4 AND sku_id <> $5
)
INSERT INTO movement (fact_id, revision, recorded_at, occurred_at, sku_id, location_id,
  on_hand_delta, reserved_delta, line, kind, reason)
SELECT $1::bigint + n, level.revision + 1 + n / $6::bigint, now(), now(), level.sku_id, $4,
  CASE WHEN n / $6::bigint % 2 = 0 THEN 1 ELSE -1 END, 0, 0, 'adjust', 'correction'
FROM generate_series($2::bigint, $3::bigint - 1) AS n JOIN level ON level.place = n % $6::bigint
"""
LEVELS = """
UPDATE stock_level SET revision = revision + $1::bigint WHERE location_id = $2 AND sku_id <> $3
"""


class Grown:
    """A database that has been filled, and what callers were told in it since."""

    def __init__(self, stand: Stand, where: Place, before: books.Opening) -> None:
        self._stand = stand
        self._where = where
        self._before = before
        self._told = Told()

    async def sell(self, scenario: Scenario, callers: int) -> Sample:
        """One repetition of ours; of the books only balances and grants are compared yet."""
        await write_all(self._where.url)
        asked = sales(scenario, run=self._stand.next_run(), seed=1)
        async with ours(self._where) as till:
            reading = await self._stand.drive([caller(till.sell, asked)] * callers, self._told)
            faults = await till.tell_again()
        where, before, told = self._where, self._before, self._told
        return await finish(where, before, told, reading, faults, whole=False)

    async def check(self) -> Books:
        """The whole books, every movement; this takes minutes."""
        return await books.check(self._where, self._before, self._told)


@asynccontextmanager
async def grown(
    stand: Stand, folder: Path, say: Callable[[str], None], *, movements: int = MOVEMENTS
) -> AsyncIterator[Grown]:
    """A fresh database with so many movements (rounded up to the same even number per SKU).

    Raises `WrongState` where the disk has less than 15 GB left for it.
    """
    if movements >= MOVEMENTS and shutil.disk_usage(folder).free < FREE_BYTES_MIN:
        raise WrongState("the disk has no room for twenty million movements (15 GB are wanted)")
    async with stand.database() as (where, _):
        await fill(where, movements, say)
        yield Grown(stand, where, await books.opening(where))


async def fill(where: Place, movements: int, say: Callable[[str], None]) -> None:
    """Write movements of the kind `adjust` with their facts, set-based; the chains stay whole."""
    skus = where.few
    rounds = -(-movements // skus)
    rounds += rounds % 2
    count = rounds * skus
    pool = await asyncpg.create_pool(
        where.url, min_size=FILLERS, max_size=FILLERS, init=_quick, reset=_nothing
    )
    async with pool:
        first = await pool.fetchval(
            "SELECT setval('fact_id_seq', nextval('fact_id_seq') + $1::bigint) - $1::bigint", count
        )
        few = where.sku_ids[where.few]
        chunks = iter(range(0, count, CHUNK))

        async def write(chunks: Iterator[int]) -> None:
            for begin in chunks:
                end = min(begin + CHUNK, count)
                async with pool.acquire() as connection:
                    chunk = (first, begin, end)
                    await connection.execute(FACTS, *chunk, timeout=FILL_SECONDS_MAX)
                    shared = (where.location_id, few, skus)
                    await connection.execute(ENTRIES, *chunk, *shared, timeout=FILL_SECONDS_MAX)
                say(f"filled {end:,} of {count:,} movements")

        await asyncio.gather(*(write(chunks) for _ in range(FILLERS)))
        await pool.execute(LEVELS, rounds, where.location_id, few)
        await pool.execute("VACUUM ANALYZE", timeout=FILL_SECONDS_MAX)


async def _quick(connection: asyncpg.Connection) -> None:
    await connection.execute(QUICK)


async def _nothing(_: object) -> None:
    """The setting stays for the connection's life."""
