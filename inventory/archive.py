"""Taking sealed months out of the ledger's table, and bringing them back.

What a detached month adds up to is carried (繰越), balance by balance, so that a full proof begins
where the months that are left begin. The month's own table stays, for the archive.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING

import asyncpg
from sqlalchemy import text, update
from sqlalchemy.exc import DBAPIError

from inventory.errors import NotFound, WrongState
from inventory.models import Seal
from inventory.partitions import DEFAULT_TABLE, Month, State, months, named
from inventory.seals import Reading, broken_rows, read_on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncConnection

    from inventory.db import Database

# Sales wait behind us for the table, so that we do not wait long for whoever reads it.
LOCK_SECONDS = 2

# Balances whose last entry of the month was not proven by then; the proof knows no way back to it.
_UNPROVEN = """
SELECT count(*) FROM (
  SELECT sku_id, location_id, max(revision) AS last FROM {table} GROUP BY sku_id, location_id
) AS moved LEFT JOIN checkpoint c USING (sku_id, location_id)
WHERE c.revision IS NULL OR c.revision < moved.last
"""
_CARRY = """
INSERT INTO carried (sku_id, location_id, revision, on_hand, reserved)
SELECT sku_id, location_id, max(revision), sum(on_hand_delta), sum(reserved_delta)
FROM {table} GROUP BY sku_id, location_id ORDER BY sku_id, location_id
ON CONFLICT (sku_id, location_id) DO UPDATE SET revision = excluded.revision,
  on_hand = carried.on_hand + excluded.on_hand, reserved = carried.reserved + excluded.reserved
"""
_BRING_BACK = """
UPDATE carried c SET revision = moved.first - 1, on_hand = c.on_hand - moved.on_hand,
  reserved = c.reserved - moved.reserved
FROM (
  SELECT sku_id, location_id, min(revision) AS first, sum(on_hand_delta) AS on_hand,
    sum(reserved_delta) AS reserved FROM {table} GROUP BY sku_id, location_id
) AS moved
WHERE c.sku_id = moved.sku_id AND c.location_id = moved.location_id
"""
# The parent's triggers do not go with a month that leaves.
_DETACH = """
ALTER TABLE movement DETACH PARTITION {table};
CREATE TRIGGER kept BEFORE UPDATE OR DELETE ON {table}
  FOR EACH ROW EXECUTE FUNCTION refuse_change()
"""
# With the check, PostgreSQL does not read the month a second time under the ledger's lock.
_ATTACH = """
ALTER TABLE {table} DROP CONSTRAINT IF EXISTS month;
ALTER TABLE {table} ADD CONSTRAINT month CHECK (
  recorded_at IS NOT NULL AND recorded_at >= '{since}' AND recorded_at < '{until}');
DROP TRIGGER IF EXISTS kept ON {table};
ALTER TABLE movement ATTACH PARTITION {table} FOR VALUES FROM ('{since}') TO ('{until}');
ALTER TABLE {table} DROP CONSTRAINT month
"""


async def detach(database: Database, month: date, now: datetime) -> Month:
    """Take the oldest attached month out of the ledger; its table stays in the database.

    Raises `NotFound`, and `WrongState` when an older month is still attached, when this one is not
    sealed or not proven, lies in the default partition, or when the ledger is being read at length.
    """
    async with _changing(database) as connection:
        known = await months(connection, now)
        found = _found(known, month)
        attached = [each for each in known if each.table and each.state is not State.DETACHED]
        if found.state is not State.SEALED:
            raise WrongState(f"month {found.name} is {found.state}: only a sealed one is detached")
        if found.table in {None, DEFAULT_TABLE}:
            raise WrongState(f"month {found.name} has no partition of its own")
        if attached[0].month != month:
            raise WrongState(f"detach {attached[0].name} first: months go in their order")
        unproven = await connection.scalar(text(_UNPROVEN.format(table=found.table)))
        if unproven:
            raise WrongState(
                f"{unproven} balances of month {found.name} have no checkpoint at or after their"
                " last movement of it: run `hikiate ledger verify` first"
            )
        await connection.execute(text(_CARRY.format(table=found.table)))
        await _execute(connection, _DETACH, found)
        await _mark(connection, month, now)
    return found


async def attach(database: Database, month: date, now: datetime) -> Month:
    """Bring the newest detached month back, after reading it against its seal.

    Raises `NotFound`, and `WrongState` when it is not detached, a newer one is, its table is not in
    the database, or holds something else than what was sealed.
    """
    async with _changing(database) as connection:
        known = await months(connection, now)
        found = _found(known, month)
        detached = [each for each in known if each.state is State.DETACHED]
        if found.state is not State.DETACHED or found.seal is None:
            raise WrongState(f"month {found.name} is not detached")
        if detached[-1].month != month:
            raise WrongState(f"attach {detached[-1].name} first: months come back in their order")
        if found.table is None:
            raise WrongState(f"restore the table of month {found.name} first")
        reading, _ = await read_on(connection, found.table, Reading(month))
        broken = broken_rows(found.seal, reading)
        if broken is not None:
            raise WrongState(f"month {found.name} is not what was sealed: {broken}")
        await connection.execute(text(_BRING_BACK.format(table=found.table)))
        await connection.execute(text("DELETE FROM carried WHERE revision = 0"))
        await _execute(connection, _ATTACH, found)
        await _mark(connection, month, None)
    return found


def _found(known: Sequence[Month], month: date) -> Month:
    for each in known:
        if each.month == month:
            return each
    raise NotFound(f"the ledger has no month {named(month)}")


@asynccontextmanager
async def _changing(database: Database) -> AsyncIterator[AsyncConnection]:
    """One transaction that gives up rather than making sales wait."""
    try:
        async with database.engine.begin() as connection:
            await connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'"))
            await connection.execute(text("LOCK TABLE seal IN SHARE ROW EXCLUSIVE MODE"))
            yield connection
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == asyncpg.LockNotAvailableError.sqlstate:
            raise WrongState("the ledger is being read at length: try again later") from error
        raise


async def _execute(connection: AsyncConnection, statements: str, month: Month) -> None:
    for statement in statements.split(";"):
        filled = statement.format(table=month.table, since=month.since, until=month.until)
        await connection.execute(text(filled))


async def _mark(connection: AsyncConnection, month: date, detached_at: datetime | None) -> None:
    await connection.execute(
        update(Seal).where(Seal.month == month).values(detached_at=detached_at)
    )
