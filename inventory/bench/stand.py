"""The stand on which everything is measured: one durable server, a fresh database each time."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg
from msgspec import Struct

from inventory.bench import books, place
from inventory.bench.books import Books, Opening
from inventory.bench.cpu import Watch
from inventory.bench.load import Loop, Reading, Told, drive
from inventory.bench.place import Place
from inventory.embedded import Server, drop_database

STORAGE = """
SELECT
  (SELECT pg_total_relation_size('fact')) AS fact,
  (SELECT sum(pg_total_relation_size(inhrelid))::bigint FROM pg_inherits
    WHERE inhparent = 'movement'::regclass) AS movement,
  (SELECT pg_total_relation_size('reservation')) AS reservation,
  (SELECT count(*) FROM movement) AS movements
"""


class Storage(Struct, frozen=True, kw_only=True):
    """Bytes of tables with their indexes, and how many movements are in them."""

    fact: int
    movement: int
    reservation: int
    movements: int

    @property
    def bytes_per_movement(self) -> float:
        """Fact row and movement row with all their indexes."""
        return (self.fact + self.movement) / self.movements


class Sample(Struct, frozen=True, kw_only=True):
    """One repetition of a measurement, with the books and the size of the tables after it."""

    reading: Reading
    refusals: int
    books: Books
    storage: Storage


class Pace(Struct, frozen=True, kw_only=True):
    """How long each repetition is measured, once it is warm; and each try of a limit's tuning."""

    seconds: float = 2.0
    warm_seconds: float = 0.5
    try_seconds: float = 0.3


class Stand:
    """Databases on one server; each run has a number, so that no name of a fact comes twice."""

    def __init__(self, server: Server, pace: Pace) -> None:
        self.server = server
        self.pace = pace
        self._runs = itertools.count(1)

    def next_run(self) -> int:
        """A number that no other run has."""
        return next(self._runs)

    def watch(self) -> Watch:
        """Counts the processor time of this process and of PostgreSQL."""
        return Watch(self.server.pid)

    @asynccontextmanager
    async def database(self) -> AsyncIterator[tuple[Place, int]]:
        """A fresh database and the number of its run; it is removed afterwards.

        What earlier runs have left to be written is written first.
        """
        run = self.next_run()
        name = f"bench_{run}"
        where = await place.fresh(self.server.url, name)
        try:
            await write_all(where.url)
            yield where, run
        finally:
            await drop_database(self.server.url, name)

    async def drive(self, loops: Sequence[Loop], told: Told) -> Reading:
        """Measure some loops at this stand's pace."""
        pace = self.pace
        return await drive(
            loops, told, watch=self.watch(), seconds=pace.seconds, warm_seconds=pace.warm_seconds
        )


async def write_all(url: str) -> None:
    """Have the server write what it holds in memory, so that every run begins alike."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def finish(
    where: Place,
    before: Opening,
    told: Told,
    reading: Reading,
    faults: Sequence[str] = (),
    *,
    whole: bool = True,
) -> Sample:
    """Check the books of a database in which nobody writes any more, and weigh its tables.

    `faults` are those already found; `whole` is that of `books.check`.
    """
    found = await books.check(where, before, told, whole=whole)
    connection = await asyncpg.connect(where.url)
    try:
        storage = Storage(**dict(await connection.fetchrow(STORAGE)))
    finally:
        await connection.close()
    return Sample(
        reading=reading,
        refusals=told.refusals,
        books=Books(
            facts=found.facts,
            movements=found.movements,
            deadlocks=found.deadlocks,
            faults=(*found.faults, *faults),
        ),
        storage=storage,
    )
