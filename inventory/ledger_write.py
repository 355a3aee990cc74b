"""The ledger's set-based writing under its locks; raw SQL on one asyncpg connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from inventory.book import Level, Movement
from inventory.decisions import Page
from inventory.orders import Order

if TYPE_CHECKING:
    from inventory.db import Connection


@dataclass(slots=True)
class Entry:
    """A fact that will be written, with its movements."""

    channel_id: int
    fact_ref: str
    kind: str
    content_hash: bytes
    outcome: str
    occurred_at: datetime
    movements: list[Movement]


async def write(
    connection: Connection,
    page: Page,
    entries: Sequence[Entry],
    *,
    shortages: Mapping[int, int],
    causes: Mapping[int, int],
) -> None:
    """Write facts, movements, balances, orders, stale marks and shortage cases.

    `shortages` has the shortage of every SKU touched, `causes` the number of the entry that
    brought it about.
    """
    fact_ids = await _write_facts(connection, entries, page.now)
    await _write_movements(connection, entries, fact_ids, page.now)
    await _write_levels(connection, page)
    await _write_orders(connection, page)
    await connection.execute(
        "INSERT INTO stale_sku (sku_id, marked_at) SELECT sku_id, $2 FROM unnest($1::int[])"
        " AS sku_id ORDER BY sku_id"
        " ON CONFLICT (sku_id) DO UPDATE SET mark = excluded.mark",
        sorted({*shortages, *_mentioned(page)}),
        page.now,
    )
    cause_ids = {sku_id: fact_ids[number] for sku_id, number in causes.items()}
    await _write_cases(connection, shortages, cause_ids, page.now)


def _mentioned(page: Page) -> set[int]:
    """SKUs of the orders that changed, also where no unit moved.

    An order that was placed and cancelled before we saw it has lowered its channel's number.
    """
    lines = [line for order in page.changed_orders.values() for line in order.lines.values()]
    return {line.sku_id for line in lines if line.sku_id is not None}


async def _write_facts(
    connection: Connection, entries: Sequence[Entry], now: datetime
) -> list[int]:
    rows = await connection.fetch(
        "INSERT INTO fact (channel_id, fact_ref, kind, content_hash, outcome, recorded_at)"
        " SELECT c, r, k, h, o::jsonb, $6"
        " FROM unnest($1::int[], $2::text[], $3::text[], $4::bytea[], $5::text[])"
        " AS new (c, r, k, h, o) RETURNING id, channel_id, fact_ref",
        [entry.channel_id for entry in entries],
        [entry.fact_ref for entry in entries],
        [entry.kind for entry in entries],
        [entry.content_hash for entry in entries],
        [entry.outcome for entry in entries],
        now,
    )
    ids = {(row["channel_id"], row["fact_ref"]): row["id"] for row in rows}
    return [ids[entry.channel_id, entry.fact_ref] for entry in entries]


async def _write_movements(
    connection: Connection, entries: Sequence[Entry], fact_ids: Sequence[int], now: datetime
) -> None:
    rows = [
        (
            fact_id,
            movement.line,
            movement.location_id,
            movement.kind,
            movement.sku_id,
            movement.on_hand_delta,
            movement.reserved_delta,
            movement.revision,
            movement.reason,
            entry.occurred_at,
        )
        for entry, fact_id in zip(entries, fact_ids, strict=True)
        for movement in entry.movements
    ]
    if not rows:
        return
    await connection.execute(
        "INSERT INTO movement (fact_id, line, location_id, kind, sku_id, on_hand_delta,"
        " reserved_delta, revision, reason, occurred_at, recorded_at) SELECT *, $11 FROM unnest("
        "$1::bigint[], $2::smallint[], $3::int[], $4::text[], $5::int[], $6::int[], $7::int[],"
        " $8::bigint[], $9::text[], $10::timestamptz[])",
        *(list(column) for column in zip(*rows, strict=True)),
        now,
    )


async def _write_levels(connection: Connection, page: Page) -> None:
    levels = [page.book.levels[key] for key in sorted(page.book.touched)]
    await connection.execute(
        "UPDATE stock_level SET on_hand = new.on_hand, reserved = new.reserved,"
        " revision = new.revision FROM unnest($1::int[], $2::int[], $3::int[],"
        " $4::int[], $5::bigint[]) AS new (sku_id, location_id, on_hand, reserved, revision)"
        " WHERE stock_level.sku_id = new.sku_id AND stock_level.location_id = new.location_id",
        *_level_columns([level for level in levels if level.stored]),
    )
    # A row that another process has made meanwhile was not under our lock: the plain insert
    # refuses it, and the batch is decided again.
    await connection.execute(
        "INSERT INTO stock_level (sku_id, location_id, on_hand, reserved, revision)"
        " SELECT * FROM unnest($1::int[], $2::int[], $3::int[], $4::int[], $5::bigint[])",
        *_level_columns([level for level in levels if not level.stored]),
    )


def _level_columns(levels: Sequence[Level]) -> tuple[list[int], ...]:
    return (
        [level.sku_id for level in levels],
        [level.location_id for level in levels],
        [level.on_hand for level in levels],
        [level.reserved for level in levels],
        [level.revision for level in levels],
    )


async def _write_orders(connection: Connection, page: Page) -> None:
    for key in sorted(page.changed_orders):
        order = page.changed_orders[key]
        if order.id is None:
            order.id = await connection.fetchval(
                "INSERT INTO sales_order (channel_id, order_ref, recorded_at)"
                " VALUES ($1, $2, $3) RETURNING id",
                order.channel_id,
                order.order_ref,
                page.now,
            )
        await connection.execute(
            "UPDATE sales_order SET reservation = $2, expires_at = $3, ordered_at = $4,"
            " seen_at = $5, revision = $6, digest = $7, hint = $8, cancelled = $9,"
            " cancelled_by = $10, cancel_reason = $11, cancelled_at = $12,"
            " buyer_asked_to_cancel = $13, cancellable = $14, fulfilled_by_channel = $15,"
            " ship_by = $16, shipped = $17 WHERE id = $1",
            *_order_values(order),
        )
    await _write_lines(connection, list(page.changed_orders.values()))


def _order_values(order: Order) -> tuple[Any, ...]:
    return (
        order.id,
        order.reservation,
        order.expires_at,
        order.ordered_at,
        order.seen_at,
        order.revision,
        order.digest,
        order.hint,
        order.cancelled,
        order.cancelled_by,
        order.cancel_reason,
        order.cancelled_at,
        order.buyer_asked_to_cancel,
        order.cancellable,
        order.fulfilled_by_channel,
        order.ship_by,
        order.shipped,
    )


async def _write_lines(connection: Connection, orders: Sequence[Order]) -> None:
    lines = [(order, line) for order in orders for line in order.lines.values()]
    await connection.executemany(
        "INSERT INTO order_line (order_id, line_ref, sku_id, listing_id, ordered, cancelled,"
        " shipped, unit_price, ended_at, ordered_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
        " ON CONFLICT (order_id, line_ref) DO UPDATE SET sku_id = excluded.sku_id,"
        " listing_id = excluded.listing_id, ordered = excluded.ordered,"
        " cancelled = excluded.cancelled, shipped = excluded.shipped,"
        " unit_price = excluded.unit_price, ended_at = excluded.ended_at,"
        " ordered_at = excluded.ordered_at",
        [
            (
                order.id,
                line.line_ref,
                line.sku_id,
                line.listing_id,
                line.ordered,
                line.cancelled,
                line.shipped,
                line.unit_price,
                line.ended_at,
                order.ordered_at,
            )
            for order, line in lines
        ],
    )
    await connection.executemany(
        "INSERT INTO order_part (order_id, line_ref, sku_id, location_id, reserved, shipped)"
        " VALUES ($1, $2, $3, $4, $5, $6)"
        " ON CONFLICT (order_id, line_ref, sku_id, location_id) DO UPDATE"
        " SET reserved = excluded.reserved, shipped = excluded.shipped",
        [
            (order.id, line.line_ref, line.sku_id, location_id, part.reserved, part.shipped)
            for order, line in lines
            for location_id, part in line.parts.items()
        ],
    )


async def _write_cases(
    connection: Connection,
    shortages: Mapping[int, int],
    cause_ids: Mapping[int, int],
    now: datetime,
) -> None:
    short = {sku_id: units for sku_id, units in sorted(shortages.items()) if units}
    await connection.execute(
        "INSERT INTO oversell (sku_id, shortage, shortage_max, cause_fact_id, opened_at)"
        " SELECT s, u, u, f, $4 FROM unnest($1::int[], $2::int[], $3::bigint[]) AS new (s, u, f)"
        " ON CONFLICT (sku_id) WHERE state = 'open' DO UPDATE SET shortage = excluded.shortage,"
        " shortage_max = greatest(oversell.shortage_max, excluded.shortage)",
        list(short),
        list(short.values()),
        [cause_ids.get(sku_id) for sku_id in short],
        now,
    )
    await connection.execute(
        "UPDATE oversell SET shortage = 0 WHERE state = 'open' AND shortage > 0"
        " AND sku_id = ANY($1::int[])",
        [sku_id for sku_id, units in shortages.items() if not units],
    )
