"""Seals of ended months: hashes over their movements, each chained to that of the month before.

The rows of a month are hashed in the order of SKU id, location id and revision, `CHUNK` at a time:
digest = sha256(digest before ‖ the rows as PostgreSQL's binary protocol writes them), beginning
with 32 zero bytes. `rows_hash` is the last digest; `hash` = sha256(hash of the month before, or 32
zero bytes ‖ month as 2026-11 ‖ number of movements in 8 bytes, big-endian ‖ rows_hash).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta

import msgspec
from msgspec import Struct
from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from inventory.db import Database
from inventory.models import Seal, Switch
from inventory.partitions import PLAN_ANEW, WITHIN, Month, State, after, first_moment, months, named

SEAL_AFTER = timedelta(hours=1)
CHUNK = 20_000
START = bytes(32)
SEALING = "sealing"
SEALING_LOCK = 0x48494B53  # any number, the same in every process
LOCK_SECONDS = 4
# No column may ever be left out, and none change its place: older seals would not match any more.
ROW = (
    "record_send(ROW(fact_id, revision, recorded_at, occurred_at, sku_id, location_id,"
    " on_hand_delta, reserved_delta, line, kind, reason))"
)
ORDER = "sku_id, location_id, revision"
_READ = """
SELECT sha256(:digest || string_agg(packed, ''::bytea ORDER BY {order})), count(*),
  max(ARRAY[sku_id::bigint, location_id::bigint, revision])
FROM (
  SELECT {order}, {row} AS packed FROM {table}
  WHERE ({order}) > (:sku_id, :location_id, :revision) AND {within}
  ORDER BY {order} LIMIT {chunk}
) AS chunk
"""

Say = Callable[[str], None]


class Reading(Struct, frozen=True):
    """How far a month was read: the last entry's SKU, location and revision, and the digest."""

    month: date
    after: tuple[int, int, int] = (0, 0, 0)
    movements: int = 0
    digest: bytes = START


def chained(before: bytes, month: date, movements: int, rows_hash: bytes) -> bytes:
    """The hash of a month's seal."""
    counted = movements.to_bytes(8, "big")
    return hashlib.sha256(before + named(month).encode() + counted + rows_hash).digest()


async def read_on(
    connection: AsyncConnection, table: str, reading: Reading, *, seconds: float | None = None
) -> tuple[Reading, bool]:
    """Read a closed month further, for `seconds` or to its end; whether it has ended.

    Memory is bounded: PostgreSQL hashes a chunk at a time and sends 32 bytes.
    """
    query = text(_READ.format(table=table, row=ROW, within=WITHIN, order=ORDER, chunk=CHUNK))
    within = {"since": first_moment(reading.month), "until": first_moment(after(reading.month))}
    await connection.execute(PLAN_ANEW)
    started = time.monotonic()
    while seconds is None or time.monotonic() - started < seconds:
        place = dict(zip(("sku_id", "location_id", "revision"), reading.after, strict=True))
        values = {"digest": reading.digest, **within, **place}
        digest, rows, last = (await connection.execute(query, values)).one()
        if rows:
            reading = Reading(reading.month, tuple(last), reading.movements + rows, digest)
        if rows < CHUNK:
            return reading, True
    return reading, False


async def seal_ended(
    database: Database, now: datetime, *, seconds: float | None = None, say: Say = lambda _: None
) -> list[Month]:
    """Seal every month that ended `SEAL_AFTER` ago, oldest first, and return them as they were.

    A sealed month takes no more movements. After `seconds` it stops and goes on next time where
    it was. Where another process is at it, nothing is done.
    """
    sealed: list[Month] = []
    async with database.engine.begin() as connection:
        if not await connection.scalar(
            text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": SEALING_LOCK}
        ):
            return sealed
        # A clock that is ahead must not close the months to come.
        now = min(now, (await connection.execute(select(func.now()))).scalar_one())
        started = time.monotonic()
        while (month := await _due(connection, now)) is not None:
            left = None if seconds is None else seconds - (time.monotonic() - started)
            say(f"sealing {month.name}")
            if not await _seal(database, connection, month, now=now, seconds=left):
                break
            sealed.append(month)
    return sealed


async def _due(connection: AsyncConnection, now: datetime) -> Month | None:
    """The month to be sealed next: one without movements, too, so that the chain has no gap."""
    known = await months(connection, now)
    sealed = [each.month for each in known if each.seal is not None]
    if not known:
        return None
    month = after(sealed[-1]) if sealed else known[0].month
    if first_moment(after(month)) + SEAL_AFTER > now:
        return None
    found = [each for each in known if each.month == month]
    if not found:
        return Month(month=month, state=State.ENDED, table=None, bytes=0)
    return None if found[0].state is State.MISSING else found[0]


async def _seal(
    database: Database,
    connection: AsyncConnection,
    month: Month,
    *,
    now: datetime,
    seconds: float | None,
) -> bool:
    async with database.transaction() as session:
        await session.execute(text(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'"))
        await session.execute(text("SELECT close_movement_month(:month)"), {"month": month.month})
        reading = await _progress(session, month.month)
    ended = True
    if month.table is not None:
        reading, ended = await read_on(connection, month.table, reading, seconds=seconds)
    async with database.transaction() as session:
        if not ended:
            await keep(session, SEALING, reading, now)
            return False
        before = await session.scalar(select(Seal.hash).order_by(Seal.month.desc()).limit(1))
        rows, digest = reading.movements, reading.digest
        session.add(
            Seal(
                month=month.month,
                movements=rows,
                rows_hash=digest,
                hash=chained(before or START, month.month, rows, digest),
                sealed_at=now,
            )
        )
    return True


async def _progress(session: AsyncSession, month: date) -> Reading:
    kept = await session.get(Switch, SEALING)
    reading = msgspec.convert(kept.value, Reading) if kept else Reading(month)
    return reading if reading.month == month else Reading(month)


async def keep(session: AsyncSession, name: str, value: Struct, now: datetime) -> None:
    """Put a value under a name, for whoever looks next."""
    built = msgspec.to_builtins(value)
    await session.execute(
        insert(Switch)
        .values(name=name, value=built, changed_at=now)
        .on_conflict_do_update(index_elements=["name"], set_={"value": built, "changed_at": now})
    )


def broken_link(seals: Sequence[Seal]) -> tuple[date, str] | None:
    """The first month at which the chain of seals (all, in order) breaks, and how."""
    before, expected = START, None
    for seal in seals:
        if expected is not None and seal.month != expected:
            return expected, "its seal is missing"
        if chained(before, seal.month, seal.movements, seal.rows_hash) != seal.hash:
            return seal.month, "its seal does not follow from the month before"
        before, expected = seal.hash, after(seal.month)
    return None


def broken_rows(seal: Seal, reading: Reading) -> str | None:
    """How the movements that were read differ from those that were sealed."""
    if reading.movements != seal.movements:
        return f"it holds {reading.movements} movements and was sealed with {seal.movements}"
    if reading.digest != seal.rows_hash:
        return f"its {seal.movements} movements are not what was sealed"
    return None
