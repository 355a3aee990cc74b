"""The proof on a schedule: what the worker runs, and what it leaves for health to tell."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, field

from inventory.models import Switch
from inventory.partitions import Month, State, months
from inventory.proof import Difference, prove
from inventory.seals import Reading, broken_rows, keep, read_on

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from inventory.db import Database

LEDGER_CHECK = "ledger_check"
REREADING = "rereading"
REREAD_SECONDS = 20
UNSEALED_MAX = timedelta(days=1)


class LedgerCheck(Struct, frozen=True, kw_only=True):
    """The last proof, and what was found; `unsealed` is a month that ended a day ago and more.

    `month` and `hash` are the newest seal.
    """

    checked_at: datetime
    differences: tuple[Difference, ...]
    unsealed: str | None = None
    month: str | None = None
    hash: str | None = None


class _Rereading(Struct):
    """Where reading the sealed months again has come to, and those that were found changed."""

    reading: Reading | None = None
    changed: dict[str, str] = field(default_factory=dict)


async def check(database: Database, now: datetime) -> LedgerCheck:
    """Prove the books from the checkpoints, read sealed months a little further, keep the result.

    A month that was found changed stays so until it is read again and found as it was sealed.
    """
    proof = await prove(database, now, read_months=False)
    changed = await reread(database, now, seconds=REREAD_SECONDS)
    async with database.engine.connect() as connection:
        known = await months(connection, now)
    late = [each.name for each in known if _is_late(each, now)]
    found = LedgerCheck(
        checked_at=now,
        differences=proof.differences + changed,
        unsealed=late[0] if late else None,
        month=proof.month,
        hash=proof.hash,
    )
    async with database.transaction() as session:
        await keep(session, LEDGER_CHECK, found, now)
    return found


def _is_late(month: Month, now: datetime) -> bool:
    return month.state is State.ENDED and month.until + UNSEALED_MAX < now


async def reread(database: Database, now: datetime, *, seconds: float) -> tuple[Difference, ...]:
    """Read the sealed months again, one after the other for ever, `seconds` at a time.

    Returns the months that differed from their seals when they were last read.
    """
    async with database.sessions() as session:
        kept = await session.get(Switch, REREADING)
    state = msgspec.convert(kept.value, _Rereading) if kept else _Rereading()
    async with database.engine.connect() as connection:
        known = await months(connection, now)
        sealed = [each for each in known if each.seal and each.table]
        await _read_further(connection, state, sealed, seconds)
    names = {month.name for month in sealed}
    state.changed = {name: how for name, how in state.changed.items() if name in names}
    async with database.transaction() as session:
        await keep(session, REREADING, state, now)
    return tuple(
        Difference(what="seal", month=name, detail=how) for name, how in state.changed.items()
    )


async def _read_further(
    connection: AsyncConnection, state: _Rereading, sealed: Sequence[Month], seconds: float
) -> None:
    begun = state.reading
    places = [month for month in sealed if begun is None or month.month >= begun.month]
    if not places:
        state.reading = None
        return
    month, *later = places
    if begun is None or begun.month != month.month:
        begun = Reading(month.month)
    state.reading, ended = await read_on(connection, str(month.table), begun, seconds=seconds)
    if ended and month.seal is not None:
        broken = broken_rows(month.seal, state.reading)
        state.changed.pop(month.name, None)
        state.changed |= {month.name: broken} if broken else {}
        state.reading = Reading(later[0].month) if later else None
