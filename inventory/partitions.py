"""The ledger's months: what each holds, and taking old ones out of the table and back in."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from enum import StrEnum

from msgspec import Struct
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from inventory.errors import BadInput
from inventory.models import Seal

DEFAULT_TABLE = "movement_default"
# Only the default partition holds more than one month.
WITHIN = "recorded_at >= :since AND recorded_at < :until"
_COUNT = "SELECT count(*) FROM {table} WHERE {within}"
# A plan made for any place in a month is far worse than one for the place where reading goes on.
PLAN_ANEW = text("SET LOCAL plan_cache_mode = force_custom_plan")
MONTH = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])")

_TABLES = text("""
SELECT c.relname, pg_total_relation_size(c.oid), EXISTS (
  SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid AND i.inhparent = 'movement'::regclass)
FROM pg_class c
WHERE c.relkind = 'r' AND c.relname ~ '^movement_20[0-9]{2}_(0[1-9]|1[0-2])$'
  AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'movement'::regclass)
""")
_STRAYS = text("""
SELECT DISTINCT date_trunc('month', recorded_at AT TIME ZONE 'UTC')::date FROM movement_default
""")


class State(StrEnum):
    """`ended` waits for its seal; `missing` is out of the ledger and was never detached by us.

    `detached` is out of the ledger: its table may lie in the database still, or in an archive.
    """

    OPEN = "open"
    ENDED = "ended"
    SEALED = "sealed"
    DETACHED = "detached"
    MISSING = "missing"


class Month(Struct, frozen=True, kw_only=True):
    """One month (UTC) of the ledger. `table` is None where none in the database holds it.

    `bytes` are those of its own partition with indexes, 0 where it has none.
    """

    month: date
    state: State
    table: str | None
    bytes: int
    seal: Seal | None = None

    @property
    def name(self) -> str:
        """Such as 2026-11."""
        return named(self.month)

    @property
    def since(self) -> datetime:
        """Where it begins."""
        return first_moment(self.month)

    @property
    def until(self) -> datetime:
        """Where the next one begins."""
        return first_moment(after(self.month))


def named(month: date) -> str:
    """Such as 2026-11."""
    return f"{month:%Y-%m}"


def parsed(name: str) -> date:
    """The month of a name such as 2026-11. Raises `BadInput`."""
    found = MONTH.fullmatch(name)
    if found is None:
        raise BadInput(f"{name!r} is no month: write it as 2026-11")
    return date(int(found[1]), int(found[2]), 1)


def after(month: date) -> date:
    """The month after."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def first_moment(month: date) -> datetime:
    """Where a month begins, UTC."""
    return datetime(month.year, month.month, 1, tzinfo=UTC)


def table_of(month: date) -> str:
    """The name of a month's own partition."""
    return f"movement_{month:%Y_%m}"


async def months(connection: AsyncConnection, now: datetime) -> list[Month]:
    """Every month that has a partition, movements or a seal, in order."""
    tables = {
        date(int(name[9:13]), int(name[14:16]), 1): (name, size, attached)
        for name, size, attached in await connection.execute(_TABLES)
    }
    strays = {month for (month,) in await connection.execute(_STRAYS)}
    sealed = await seals(connection)
    found = []
    for month in sorted({*tables, *strays, *sealed}):
        table, size, attached = tables.get(month, (None, 0, False))
        if table is None and month in strays:
            table, attached = DEFAULT_TABLE, True
        seal = sealed.get(month)
        state = _state(seal, attached=attached, ended=now >= first_moment(after(month)))
        found.append(Month(month=month, state=state, table=table, bytes=size, seal=seal))
    return found


async def seals(connection: AsyncConnection) -> dict[date, Seal]:
    """All seals in the order of their months."""
    rows = await connection.execute(select(Seal.__table__).order_by(Seal.month))
    return {row["month"]: Seal(**row) for row in rows.mappings()}


def _state(seal: Seal | None, *, attached: bool, ended: bool) -> State:
    if seal is not None and seal.detached_at is not None:
        return State.DETACHED
    empty = seal is not None and not seal.movements
    if not attached and not empty:
        return State.MISSING
    if seal is not None:
        return State.SEALED
    return State.ENDED if ended else State.OPEN


async def count(connection: AsyncConnection, month: Month) -> int:
    """Movements of a month: what its seal says, or counted where there is none yet."""
    if month.seal is not None or month.table is None:
        return month.seal.movements if month.seal else 0
    query = _COUNT.format(table=month.table, within=WITHIN)
    found = await connection.scalar(text(query), {"since": month.since, "until": month.until})
    return int(found or 0)
