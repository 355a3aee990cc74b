"""Proof of the books: every balance recomputed from its movements, and what does not agree named.

A proof begins at the checkpoints of the one before, a full one at the first movement that is
attached. It reads one snapshot, so that sales go on meanwhile, and it alone advances checkpoints.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct, field
from sqlalchemy import text

from inventory import proof_sql as sql
from inventory.partitions import Month, State, months
from inventory.seals import Reading, Say, broken_link, broken_rows, read_on

if TYPE_CHECKING:
    from sqlalchemy import RowMapping
    from sqlalchemy.ext.asyncio import AsyncConnection

    from inventory.db import Database

DIFFERENCES_MAX = 20
NEWS_SECONDS = 10
# A proof of less than one part in eight looks movements up; of more it reads them all.
FEW = 8
PROOF_LOCK = 0x48494B50  # any number, the same in every process


class Difference(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that does not agree. `what` is stable, `detail` a sentence with the numbers.

    gap: the chain of a balance's entries has one missing or twice. sum: they do not add up to the
    balance. no_balance: entries without a balance. no_fact: an entry whose fact is gone. reserved:
    orders and holds do not add up to it. in_transit: transfers do not. seal: a month or the chain
    of seals is not what was sealed. month: a month is gone without having been detached.
    """

    what: str
    detail: str
    sku: str | None = None
    location: str | None = None
    revision: int | None = None
    month: str | None = None

    def __str__(self) -> str:
        """As one line for people."""
        place = f"{self.sku} at {self.location}" if self.sku else f"month {self.month}"
        revision = "" if self.revision is None else f", revision {self.revision}"
        return f"{place}{revision}: {self.detail}"


class Proof(Struct, frozen=True, kw_only=True):
    """What a proof has read, and the differences found, up to 20; none: all is well.

    `movements` were added up, `since` the newest of the checkpoints it began at, None for a full
    proof. `month` and `hash` are the newest seal: kept elsewhere, it proves the past.
    """

    checked_at: datetime
    full: bool
    balances: int
    movements: int
    since: datetime | None
    months_read: tuple[str, ...]
    month: str | None
    hash: str | None
    seconds: float
    differences: tuple[Difference, ...]


class _Found(Struct):
    """What is known so far."""

    balances: int = 0
    movements: int = 0
    since: datetime | None = None
    months: list[Month] = field(default_factory=list)
    months_read: list[str] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)

    def add(self, what: str, detail: str, row: RowMapping, revision: int | None = None) -> None:
        """Note a difference of one SKU at one location."""
        self.differences.append(
            Difference(
                what=what,
                detail=detail,
                sku=row["sku"],
                location=row["location"],
                revision=revision,
            )
        )


async def prove(
    database: Database,
    now: datetime,
    *,
    full: bool = False,
    read_months: bool = True,
    say: Say = lambda _: None,
) -> Proof:
    """Prove the books, and advance the checkpoints if they agree.

    A full proof also compares the checkpoints, looks for every movement's fact and reads all
    sealed months that are in the database; otherwise, with `read_months`, only the newest one.
    """
    started = time.monotonic()
    found = _Found()
    async with _snapshot(database) as (connection, alone):
        await _prove_balances(connection, found, full=full, say=say)
        say("orders, holds and transfers")
        await _prove_promises(connection, found)
        await _prove_transfers(connection, found)
        await _prove_chain(connection, found, now)
        if alone and not found.differences:
            await connection.execute(sql.ADVANCE, {"now": now})
    # Sealed months do not change, so that no snapshot is held for reading them.
    sealed = [month for month in found.months if month.seal and month.table]
    await _prove_months(database, found, sealed if full else sealed[-1:] * read_months, say)
    newest = next((month for month in reversed(found.months) if month.seal), None)
    return Proof(
        checked_at=now,
        full=full,
        balances=found.balances,
        movements=found.movements,
        since=found.since,
        months_read=tuple(found.months_read),
        month=newest.name if newest else None,
        hash=newest.seal.hash.hex() if newest and newest.seal else None,
        seconds=round(time.monotonic() - started, 2),
        differences=tuple(found.differences[:DIFFERENCES_MAX]),
    )


@asynccontextmanager
async def _snapshot(database: Database) -> AsyncIterator[tuple[AsyncConnection, bool]]:
    """One snapshot for all reads, and whether no other proof is under way (it may write then)."""
    async with database.engine.connect() as plain:
        connection = await plain.execution_options(isolation_level="REPEATABLE READ")
        async with connection.begin():
            # Before the snapshot is taken: no month comes or goes while it is read.
            await connection.execute(text("LOCK TABLE movement IN ACCESS SHARE MODE"))
            await connection.execute(text("SET LOCAL work_mem = '64MB'"))
            await connection.execute(text("SET LOCAL jit = off"))
            alone = await connection.scalar(
                text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": PROOF_LOCK}
            )
            yield connection, bool(alone)


async def _prove_balances(
    connection: AsyncConnection, found: _Found, *, full: bool, say: Say
) -> None:
    figures = (await connection.execute(sql.figures(full=full))).mappings().one()
    found.balances, found.movements = figures["balances"], int(figures["movements"])
    found.since = figures["since"]
    few = not full and found.movements * FEW <= figures["all_movements"]
    # Which of a balance's entries are new the planner can only guess: too many, mostly.
    await connection.execute(text(f"SET LOCAL enable_seqscan = {'off' if few else 'on'}"))
    say(f"{found.balances} balances, {found.movements} movements to add up")
    wrong = (await connection.execute(sql.unbalanced(full=full, few=few))).mappings().all()
    for row in wrong:
        await _name(connection, found, row, full=full)
    say("their facts")
    for row in (await connection.execute(sql.no_fact(full=full, few=few))).mappings():
        detail = f"its fact {row['fact_id']} is not there"
        found.add("no_fact", detail, row, row["revision"])
    await connection.execute(text("SET LOCAL enable_seqscan = on"))


async def _name(connection: AsyncConnection, found: _Found, row: RowMapping, *, full: bool) -> None:
    """Say of a balance what is wrong first."""
    if row["balance"] is None:
        detail = f"{row['entries'] or 0} movements and no balance"
        found.add("no_balance", detail, row, row["first"] or row["base"])
        return
    keys = {"sku_id": row["sku_id"], "location_id": row["location_id"], "base": row["base"]}
    keys["floor"] = 0 if full else row["base"]
    gap = (await connection.execute(sql.FIRST_GAP, keys)).one_or_none()
    last = row["last"] or row["base"]
    if gap is not None:
        revision, before = gap
        twice = revision <= before
        detail = "two movements have it" if twice else "the movement is missing"
        found.add("gap", detail, row, revision if twice else before + 1)
    elif last < row["balance"]:
        detail = f"the movement is missing, the balance counts up to {row['balance']}"
        found.add("gap", detail, row, last + 1)
    elif last > row["balance"]:
        detail = f"a movement beyond the balance, which counts up to {row['balance']}"
        found.add("gap", detail, row, row["balance"] + 1)
    else:
        wrong_at = row["checkpoint"] if row["checkpoint_wrong"] else row["balance"]
        found.add("sum", _sums(row, full=full), row, wrong_at)


def _sums(row: RowMapping, *, full: bool) -> str:
    if row["checkpoint_wrong"]:
        return (
            f"up to it movements add up to {row['on_hand_then']} on hand and"
            f" {row['reserved_then']} reserved; when it was last proven they were"
            f" {row['on_hand_proven']} and {row['reserved_proven']}"
        )
    begin = f"{'detached months' if full else 'the checkpoint'} up to {row['base']} and "
    return (
        f"{begin if row['base'] else ''}movements add up to {row['on_hand_moved']} on hand and"
        f" {row['reserved_moved']} reserved, the balance says {row['on_hand']} and"
        f" {row['reserved']}"
    )


async def _prove_promises(connection: AsyncConnection, found: _Found) -> None:
    for row in (await connection.execute(sql.RESERVED)).mappings():
        detail = f"orders and holds promise {row['promised']}, the balance has {row['stored']}"
        found.add("reserved", f"{detail} reserved", row)


async def _prove_transfers(connection: AsyncConnection, found: _Found) -> None:
    for row in (await connection.execute(sql.IN_TRANSIT)).mappings():
        detail = f"transfers under way have {row['under_way']} units, the balance {row['stored']}"
        found.add("in_transit", detail, row)


async def _prove_chain(connection: AsyncConnection, found: _Found, now: datetime) -> None:
    found.months = await months(connection, now)
    for month in found.months:
        if month.state is State.MISSING:
            detail = "it is out of the ledger without having been detached"
            found.differences.append(Difference(what="month", month=month.name, detail=detail))
    broken = broken_link([month.seal for month in found.months if month.seal])
    if broken is not None:
        name = f"{broken[0]:%Y-%m}"
        found.differences.append(Difference(what="seal", month=name, detail=broken[1]))


async def _prove_months(database: Database, found: _Found, sealed: list[Month], say: Say) -> None:
    for month in sealed:
        if month.seal is None or month.table is None:
            continue
        reading, ended = Reading(month.month), False
        while not ended:
            say(f"month {month.name}: read {reading.movements} of {month.seal.movements} movements")
            async with database.engine.connect() as connection:
                reading, ended = await read_on(
                    connection, month.table, reading, seconds=NEWS_SECONDS
                )
        found.months_read.append(month.name)
        broken = broken_rows(month.seal, reading)
        if broken is not None:
            found.differences.append(Difference(what="seal", month=month.name, detail=broken))
