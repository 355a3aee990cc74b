"""A mass expiry beside sales: the house's own worker gives back 100,000 holds while callers buy."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import asyncpg
import msgspec
from msgspec import Struct

from inventory.bench import books
from inventory.bench.load import Told, caller
from inventory.bench.ours import ours
from inventory.bench.place import BUSY_SKUS, Place
from inventory.bench.scenarios import HOT, refs, sales
from inventory.bench.servers import environment
from inventory.bench.stand import Sample, Stand, finish, write_all
from inventory.clock import Clock
from inventory.db import Database
from inventory.embedded import start_valkey
from inventory.errors import WrongState
from inventory.facts import FACTS_MAX, ReservationAsked, SaleLine, Status
from inventory.ledger import Ledger
from inventory.processes import Supervisor

HOLDS = 100_000
CALLERS = 32
BEGIN_SECONDS_MAX = 60
POLL_SECONDS = 0.1

DUE = "SELECT count(*) FROM reservation WHERE expires_at <= now()"
HELD = """
SELECT parts[1] AS sku_id, sum(parts[3])::bigint AS units FROM reservation
WHERE expires_at IS NOT NULL GROUP BY 1
"""


class Expiry(Struct, frozen=True, kw_only=True):
    """The same sales before and during the expiry; `expired` holds were given back meanwhile."""

    without: Sample
    beside: Sample
    expired: int


async def sell_beside(stand: Stand, supervisor: Supervisor, folder: Path) -> Expiry:
    """One repetition: sales alone, then sales while a worker gives back holds that are over.

    Raises `WrongState` when no hold was given back within a minute.
    """
    async with stand.database() as (where, run):
        before, told = await books.opening(where), Told()
        await hold(where, stand.next_run(), told)
        await write_all(where.url)
        asked = sales(HOT, run=run, seed=1)
        async with ours(where) as till:
            loops = [caller(till.sell, asked)] * CALLERS
            alone = await stand.drive(loops, told)
            async with _worker(supervisor, folder, where.url):
                due = await _begun(where.url)
                beside = await stand.drive(loops, told)
                left = await _ask(where.url, DUE)
            faults = await till.tell_again()
        await note_what_is_held(where, told)
        sample = await finish(where, before, told, beside, faults)
        return Expiry(
            without=msgspec.structs.replace(sample, reading=alone),
            beside=sample,
            expired=due - left,
        )


async def hold(where: Place, run: int, told: Told, *, count: int = HOLDS) -> None:
    """Holds of one unit over all SKUs that are not sold here; they are over within a second."""
    clock, names = Clock(), refs(run)
    spread = itertools.cycle(range(BUSY_SKUS, where.few))
    database = Database(where.url)
    ledger = Ledger(database, clock)
    try:
        for _ in range(0, count, FACTS_MAX):
            now = clock.now()
            facts = [
                ReservationAsked(
                    channel_id=where.channel_id,
                    fact_ref=next(names),
                    occurred_at=now,
                    lines=(SaleLine(line_ref="0", sku=where.codes[next(spread)], quantity=1),),
                    expires_at=now + timedelta(seconds=1),
                )
                for _ in range(FACTS_MAX)
            ]
            outcomes = await ledger.apply(facts)
            told.grants += sum(outcome.status is Status.GRANTED for outcome in outcomes)
    finally:
        await database.aclose()


@asynccontextmanager
async def _worker(supervisor: Supervisor, folder: Path, url: str) -> AsyncIterator[None]:
    """The house's intake worker and its clock, on this database."""
    valkey = start_valkey(folder, supervisor)
    env = environment(url, valkey.url, folder)
    house = (sys.executable, "-m", "inventory")
    try:
        supervisor.start("worker", [*house, "worker", "--queue", "intake"], env=env)
        supervisor.start("beat", [*house, "beat"], env=env)
        yield
    finally:
        supervisor.stop("worker", "beat")
        valkey.stop()


async def _begun(url: str) -> int:
    """How many holds are still due, once some were given back."""
    first = await _ask(url, DUE)
    ends = time.monotonic() + BEGIN_SECONDS_MAX
    while time.monotonic() < ends:
        due = await _ask(url, DUE)
        if due < first:
            return due
        await asyncio.sleep(POLL_SECONDS)
    raise WrongState("no hold was given back")


async def _ask(url: str, query: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        count: int = await connection.fetchval(query)
    finally:
        await connection.close()
    return count


async def note_what_is_held(where: Place, told: Told) -> None:
    """Of the holds that could expire, those that have not are what is reserved."""
    connection = await asyncpg.connect(where.url)
    try:
        rows = await connection.fetch(HELD)
    finally:
        await connection.close()
    numbers = {sku_id: number for number, sku_id in enumerate(where.sku_ids)}
    for row in rows:
        told.reserved[numbers[row["sku_id"]]] += row["units"]
