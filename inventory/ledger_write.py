"""The ledger's writing, set-based, in the transaction that decided; raw SQL on one connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from inventory import changes_write
from inventory.book import Level
from inventory.page import Hold, Page

if TYPE_CHECKING:
    from inventory.db import Connection


class Entry(NamedTuple):
    """A fact that will be written; the fields are the columns of its table."""

    id: int
    content_hash: int
    channel_id: int
    kind: str
    fact_ref: str
    outcome: str | None


# One statement for what every batch writes: facts, movements, new holds, stale marks, balances.
WRITE = """
WITH told AS (
  INSERT INTO fact (id, recorded_at, content_hash, channel_id, kind, fact_ref, outcome)
  SELECT i, $1, h, c, k, r, o::jsonb
  FROM unnest($2::bigint[], $3::bigint[], $4::int[], $5::text[], $6::text[], $7::text[])
    AS new (i, h, c, k, r, o)
), moved AS (
  INSERT INTO movement (fact_id, revision, recorded_at, occurred_at, sku_id, location_id,
    on_hand_delta, reserved_delta, line, kind, reason)
  SELECT f, v, $1, t, s, l, d, e, n, k, r
  FROM unnest($8::bigint[], $9::bigint[], $10::timestamptz[], $11::int[], $12::int[], $13::int[],
    $14::int[], $15::smallint[], $16::text[], $17::text[]) AS new (f, v, t, s, l, d, e, n, k, r)
), held AS (
  INSERT INTO reservation (fact_id, expires_at, channel_id, parts)
  SELECT f, e, c, p::int[] FROM unnest($18::bigint[], $19::timestamptz[], $20::int[], $21::text[])
    AS new (f, e, c, p)
), marked AS (
  INSERT INTO stale_sku (sku_id, marked_at) SELECT s, $1 FROM unnest($22::int[]) AS s ORDER BY s
  ON CONFLICT (sku_id) DO UPDATE SET mark = excluded.mark
)
UPDATE stock_level v SET on_hand = new.on_hand, reserved = new.reserved, revision = new.revision,
  counted_at = new.counted_at
FROM unnest($23::int[], $24::int[], $25::int[], $26::int[], $27::bigint[], $28::timestamptz[])
  AS new (sku_id, location_id, on_hand, reserved, revision, counted_at)
WHERE v.sku_id = new.sku_id AND v.location_id = new.location_id
"""
NO_FACTS: tuple[list[object], ...] = ([],) * 6
NO_MOVEMENTS: tuple[list[object], ...] = ([],) * 10


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
    await changes_write.write_changes(connection, page)
    levels = [page.book.levels[key] for key in sorted(page.book.touched)]
    await connection.execute(
        WRITE,
        page.now,
        *_columns(entries, NO_FACTS),
        *_columns(page.book.movements, NO_MOVEMENTS),
        *_hold_columns(page.changes.new_holds),
        sorted(touched | _mentioned(page)),
        *_level_columns([level for level in levels if level.stored]),
    )
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
    await _write_cases(connection, page, shortages, causes)


def _columns(
    rows: Sequence[tuple[object, ...]], none: tuple[list[object], ...]
) -> tuple[list[object], ...]:
    return tuple(map(list, zip(*rows, strict=True))) if rows else none


def _hold_columns(holds: Sequence[Hold]) -> tuple[list[object], ...]:
    # A hold that ended in the batch that made it leaves no row.
    open_ = [hold for hold in holds if hold.parts]
    return (
        [hold.fact_id for hold in open_],
        [hold.expires_at for hold in open_],
        [hold.channel_id for hold in open_],
        [changes_write.flat(hold) for hold in open_],
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


async def _write_cases(
    connection: Connection,
    page: Page,
    shortages: Mapping[int, int],
    causes: Mapping[int, int],
) -> None:
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
