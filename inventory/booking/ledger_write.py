"""The ledger's writing, set-based, in the transaction that decided; raw SQL on one connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import asyncpg
from msgspec import Struct

from inventory.booking import changes_write
from inventory.booking.arrays import known, literal, quoted, shortest
from inventory.booking.book import Level, Movement
from inventory.booking.ledger_read import RULES
from inventory.booking.page import Hold, Page
from inventory.booking.recall import Recalled

if TYPE_CHECKING:
    from inventory.db import Connection


class Entry(Struct, frozen=True, gc=False):
    """A fact that will be written."""

    id: int
    content_hash: int
    channel_id: int
    kind: str
    fact_ref: str
    outcome: str | None


# One statement for what every batch writes: facts, movements, new holds, stale marks, balances.
# A column whose values are all the same comes with one of them, and one that is NULL throughout
# with none: unnest fills up with NULL, and coalesce puts the one in its place.
_ONE = """
one AS MATERIALIZED (
  SELECT ($4::text::int[])[1] AS c, ($5::text::text[])[1] AS fk,
    ($10::text::bigint[])[1] AS t, ($11::text::int[])[1] AS s, ($12::text::int[])[1] AS l,
    ($13::text::int[])[1] AS d, ($14::text::int[])[1] AS e, ($15::text::smallint[])[1] AS n,
    ($16::text::text[])[1] AS mk, ($17::text::text[])[1] AS r, ($20::text::int[])[1] AS hc
"""
_REST = """), told AS (
  INSERT INTO fact (id, recorded_at, content_hash, channel_id, kind, fact_ref, outcome)
  SELECT new.i, $1, new.h, coalesce(new.c, one.c), coalesce(new.k, one.fk), new.r, new.o::jsonb
  FROM one, unnest($2::text::bigint[], $3::text::bigint[], $4::text::int[], $5::text::text[],
    $6::text::text[], $7::text::text[]) AS new (i, h, c, k, r, o)
), moved AS (
  INSERT INTO movement (fact_id, revision, recorded_at, occurred_at, sku_id, location_id,
    on_hand_delta, reserved_delta, line, kind, reason)
  SELECT new.f, new.v, $1,
    timestamptz 'epoch' + coalesce(new.t, one.t) * interval '1 microsecond',
    coalesce(new.s, one.s), coalesce(new.l, one.l), coalesce(new.d, one.d),
    coalesce(new.e, one.e), coalesce(new.n, one.n), coalesce(new.k, one.mk),
    coalesce(new.r, one.r)
  FROM one, unnest($8::text::bigint[], $9::text::bigint[], $10::text::bigint[],
    $11::text::int[], $12::text::int[], $13::text::int[], $14::text::int[],
    $15::text::smallint[], $16::text::text[], $17::text::text[])
    AS new (f, v, t, s, l, d, e, n, k, r)
), held AS (
  INSERT INTO reservation (fact_id, expires_at, channel_id, parts)
  SELECT new.f, timestamptz 'epoch' + new.x * interval '1 microsecond',
    coalesce(new.c, one.hc), new.p::int[]
  FROM one, unnest($18::text::bigint[], $19::text::bigint[], $20::text::int[],
    $21::text::text[]) AS new (f, x, c, p)
), marked AS (
  INSERT INTO stale_sku (sku_id, marked_at) SELECT s, $1 FROM unnest($22::int[]) AS s ORDER BY s
  ON CONFLICT (sku_id) DO UPDATE SET mark = excluded.mark
)
UPDATE stock_level v SET on_hand = new.on_hand, reserved = new.reserved, revision = new.revision,
  counted_at = new.counted_at
FROM one, unnest($23::int[], $24::int[], $25::int[], $26::int[], $27::bigint[], $28::timestamptz[])
  AS new (sku_id, location_id, on_hand, reserved, revision, counted_at)
WHERE v.sku_id = new.sku_id AND v.location_id = new.location_id
"""
# For a batch that was decided on what this process remembers: its own locks, in the order of all
# locks, and a look at whether it is all still so. What another has changed meanwhile divides by
# zero, and nothing is written.
_STILL = """
locked AS MATERIALIZED (
  SELECT v.sku_id, v.location_id, v.revision, v.counted_at, v.xmin AS version
  FROM stock_level v WHERE v.sku_id = ANY($29::int[])
  ORDER BY v.sku_id, v.location_id FOR UPDATE
), still AS MATERIALIZED (
  SELECT 1 / (
    {RULES} = $31
    AND ARRAY(SELECT sku_id FROM locked) = $32::int[]
    AND ARRAY(SELECT location_id FROM locked) = $33::int[]
    AND ARRAY(SELECT revision FROM locked) = $34::bigint[]
    AND ARRAY(SELECT counted_at FROM locked) = $35::timestamptz[]
    AND ARRAY(SELECT xmin::text::bigint FROM sku WHERE id = ANY($29::int[]) ORDER BY id)
      = $30::bigint[]
    AND cardinality($36::int[]) = (
      SELECT count(*) FROM unnest($36::int[], $37::text[], $38::int[]) AS told (c, s, i)
      JOIN listing l ON l.channel_id = told.c AND l.channel_sku = told.s AND l.sku_id = told.i)
    AND NOT EXISTS (SELECT FROM locked JOIN stock_level v USING (sku_id, location_id)
      WHERE v.xmin <> locked.version)
  )::int AS so
), """
WRITE = f"WITH {_ONE}{_REST}"
WRITE_IF_STILL = f"WITH {_STILL.format(RULES=RULES)}{_ONE}  FROM still WHERE so = 1\n{_REST}"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


async def write(
    connection: Connection,
    page: Page,
    entries: Sequence[Entry],
    *,
    causes: Mapping[int, int],
) -> None:
    """Write facts, movements, balances, orders, holds, stale marks and shortage cases.

    `causes` has the fact that first made a SKU short.
    """
    touched = {sku_id for sku_id, _ in page.book.touched} | page.changes.outstanding.keys()
    page.anchor({key[0] for key in page.book.touched if not page.book.levels[key].stored})
    await changes_write.write_changes(connection, page)
    levels = [page.book.levels[key] for key in sorted(page.book.touched)]
    await connection.execute(WRITE, *_columns(page, entries, touched))
    new = [level for level in levels if not level.stored]
    if new:
        # A row that another process has made meanwhile was not under our lock: the plain insert
        # refuses it, and the batch is decided again.
        await connection.execute(
            "INSERT INTO stock_level (sku_id, location_id, on_hand, reserved, revision, counted_at)"
            " SELECT * FROM unnest($1::int[], $2::int[], $3::int[], $4::int[], $5::bigint[],"
            " $6::timestamptz[])",
            *_level_columns(new),
        )
    shortages = {sku_id: page.shortage(sku_id) for sku_id in touched}
    await write_cases(connection, page, shortages, causes)


class NotAsRemembered(Exception):
    """Another has changed what a batch was decided on, or used one of its names."""


async def write_if_still(
    connection: Connection, recalled: Recalled, entries: Sequence[Entry]
) -> None:
    """Write holds that were granted on what was remembered, if all of it is still so.

    Raises `NotAsRemembered`, with nothing written, where it is not.
    """
    page = recalled.page
    touched = {sku_id for sku_id, _ in page.book.touched}
    try:
        await connection.execute(
            WRITE_IF_STILL,
            *_columns(page, entries, touched),
            [sku.id for sku in recalled.skus],
            [sku.version for sku in recalled.skus],
            page.rules,
            *(list(column) for column in zip(*recalled.levels, strict=True)),
            [listing.channel_id for listing in page.listings.values()],
            [listing.channel_sku for listing in page.listings.values()],
            [listing.sku_id for listing in page.listings.values()],
        )
    except (asyncpg.DivisionByZeroError, asyncpg.UniqueViolationError) as error:
        raise NotAsRemembered from error


def _columns(page: Page, entries: Sequence[Entry], touched: AbstractSet[int]) -> tuple[object, ...]:
    levels = [page.book.levels[key] for key in sorted(page.book.touched)]
    return (
        page.now,
        *_fact_columns(entries),
        *_movement_columns(page.book.movements),
        *_hold_columns(page.changes.new_holds),
        sorted(touched | _mentioned(page)),
        *_level_columns([level for level in levels if level.stored]),
    )


def _fact_columns(entries: Sequence[Entry]) -> tuple[str, ...]:
    return (
        literal([entry.id for entry in entries]),
        literal([entry.content_hash for entry in entries]),
        literal(shortest([entry.channel_id for entry in entries])),
        literal(shortest([entry.kind for entry in entries])),
        quoted([entry.fact_ref for entry in entries]),
        quoted(known([entry.outcome for entry in entries])),
    )


def _movement_columns(movements: Sequence[Movement]) -> tuple[str, ...]:
    return (
        literal([movement.fact_id for movement in movements]),
        literal([movement.revision for movement in movements]),
        literal(shortest([_microseconds(movement.occurred_at) for movement in movements])),
        literal(shortest([movement.sku_id for movement in movements])),
        literal(shortest([movement.location_id for movement in movements])),
        literal(shortest([movement.on_hand_delta for movement in movements])),
        literal(shortest([movement.reserved_delta for movement in movements])),
        literal(shortest([movement.line for movement in movements])),
        literal(shortest([movement.kind for movement in movements])),
        quoted(shortest([movement.reason for movement in movements])),
    )


def _microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND


def _hold_columns(holds: Sequence[Hold]) -> tuple[str, ...]:
    # A hold that ended in the batch that made it leaves no row.
    open_ = [hold for hold in holds if hold.parts]
    expiries = [hold.expires_at and _microseconds(hold.expires_at) for hold in open_]
    return (
        literal([hold.fact_id for hold in open_]),
        literal(known(expiries)),
        literal(shortest([hold.channel_id for hold in open_])),
        quoted([changes_write.flat(hold) for hold in open_]),
    )


def _level_columns(levels: Sequence[Level]) -> tuple[list[object], ...]:
    return (
        [level.sku_id for level in levels],
        [level.location_id for level in levels],
        [level.on_hand for level in levels],
        [level.reserved for level in levels],
        [level.revision for level in levels],
        [level.counted_at for level in levels],
    )


def _mentioned(page: Page) -> set[int]:
    """SKUs of orders that changed, also where no unit moved.

    An order that was placed and cancelled before we saw it has lowered its channel's number.
    """
    orders = page.changes.changed_orders.values()
    lines = [line for order in orders for line in order.lines.values()]
    return {sku_id for line in lines for sku_id in (line.sku_id, *line.recipe) if sku_id}


async def write_cases(
    connection: Connection,
    page: Page,
    shortages: Mapping[int, int],
    causes: Mapping[int, int],
) -> None:
    """Open and measure the cases of SKUs that are short, and end those of SKUs that are not.

    What only the orders of a shop make short that was never live is nobody's case yet: its stock
    is still being counted, and whoever kept it so far answers for its orders.
    """
    if any(shortages.values()):
        shortages = await _without_shadows(connection, shortages)
    short = {sku_id: units for sku_id, units in sorted(shortages.items()) if units}
    if short:
        await connection.execute(
            "INSERT INTO oversell (sku_id, shortage, shortage_max, cause_fact_id, opened_at)"
            " SELECT s, u, u, f, $4 FROM unnest($1::int[], $2::int[], $3::bigint[])"
            " AS new (s, u, f) ON CONFLICT (sku_id) WHERE state = 'open'"
            " DO UPDATE SET shortage = excluded.shortage,"
            " shortage_max = greatest(oversell.shortage_max, excluded.shortage)",
            list(short),
            list(short.values()),
            [causes.get(sku_id) for sku_id in short],
            page.now,
        )
    ended = [
        sku_id
        for sku_id, units in sorted(shortages.items())
        if not units and sku_id in page.skus_by_id and page.skus_by_id[sku_id].case
    ]
    if ended:
        await connection.execute(
            "UPDATE oversell SET shortage = 0 WHERE state = 'open' AND shortage > 0"
            " AND sku_id = ANY($1::int[])",
            ended,
        )


async def _without_shadows(
    connection: Connection, shortages: Mapping[int, int]
) -> Mapping[int, int]:
    """Shortages as they would be without the orders of shops that were never live."""
    rows = await connection.fetch(
        "SELECT p.sku_id, sum(p.reserved) AS units FROM channel h"
        " JOIN sales_order o ON o.channel_id = h.id AND NOT o.cancelled"
        " JOIN order_part p ON p.order_id = o.id AND p.reserved > 0 AND p.sku_id = ANY($1::int[])"
        " WHERE h.frozen AND h.live_at IS NULL GROUP BY p.sku_id",
        [sku_id for sku_id, units in shortages.items() if units],
    )
    shadowed = {row["sku_id"]: row["units"] for row in rows}
    return {sku_id: max(units - shadowed.get(sku_id, 0), 0) for sku_id, units in shortages.items()}
