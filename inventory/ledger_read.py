"""The ledger's reading under its locks; raw SQL on one asyncpg connection."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from inventory.book import Book, Level
from inventory.decisions import Page, order_keys, sku_codes
from inventory.facts import Fact, OrderObserved, Outcome
from inventory.orders import Line, Order, Part

if TYPE_CHECKING:
    from inventory.db import Connection

ORDER_COLUMNS = (
    "channel_id, order_ref, id, reservation, expires_at, ordered_at, seen_at, revision, digest,"
    " hint, cancelled, cancelled_by, cancel_reason, cancelled_at, buyer_asked_to_cancel,"
    " cancellable, fulfilled_by_channel, ship_by, shipped"
)


async def read_page(connection: Connection, facts: Sequence[Fact], now: datetime) -> Page:
    """Lock and read all that the facts may touch: orders first, then balances."""
    locations = await connection.fetch("SELECT id, code, sellable FROM location ORDER BY id")
    pools = await connection.fetch(
        "SELECT id, location_ids FROM channel WHERE location_ids IS NOT NULL"
    )
    orders = await _read_orders(connection, facts)
    codes = sorted({code for fact in facts for code in sku_codes(fact)})
    held = {line.sku_id for order in orders.values() for line in order.lines.values()}
    skus = await connection.fetch(
        "SELECT id, code, safety_stock, safety_percent FROM sku"
        " WHERE code = ANY($1::text[]) OR id = ANY($2::int[])",
        codes,
        [sku_id for sku_id in held if sku_id is not None],
    )
    return Page(
        book=await _read_book(connection, [row["id"] for row in skus]),
        now=now,
        sku_ids={row["code"]: row["id"] for row in skus},
        held_back={row["id"]: (row["safety_stock"], row["safety_percent"]) for row in skus},
        location_ids={row["code"]: row["id"] for row in locations},
        sellable=tuple(row["id"] for row in locations if row["sellable"]),
        pools={row["id"]: tuple(row["location_ids"]) for row in pools},
        orders=orders,
    )


async def _read_book(connection: Connection, sku_ids: list[int]) -> Book:
    lock = (
        "SELECT sku_id, location_id, on_hand, reserved, revision FROM stock_level"
        " WHERE sku_id = ANY($1::int[]) ORDER BY sku_id, location_id FOR UPDATE"
    )
    # Whoever made us wait may have made a row that the first look could not see.
    await connection.execute(lock, sku_ids)
    rows = await connection.fetch(lock, sku_ids)
    levels = [
        Level(
            sku_id=row["sku_id"],
            location_id=row["location_id"],
            on_hand=row["on_hand"],
            reserved=row["reserved"],
            revision=row["revision"],
            stored=True,
        )
        for row in rows
    ]
    return Book({(level.sku_id, level.location_id): level for level in levels})


async def _read_orders(
    connection: Connection, facts: Sequence[Fact]
) -> dict[tuple[int, str], Order]:
    keys = sorted({key for fact in facts for key in order_keys(fact)})
    if not keys:
        return {}
    rows = await connection.fetch(
        f"SELECT {ORDER_COLUMNS} FROM sales_order"  # noqa: S608 -- a constant
        " WHERE (channel_id, order_ref) IN (SELECT * FROM unnest($1::int[], $2::text[]))"
        " ORDER BY channel_id, order_ref FOR UPDATE",
        [channel_id for channel_id, _ in keys],
        [order_ref for _, order_ref in keys],
    )
    orders = {row["id"]: Order(*row) for row in rows}
    lines = await connection.fetch(
        "SELECT order_id, line_ref, sku_id, listing_id, ordered, cancelled, shipped, unit_price,"
        " ended_at FROM order_line WHERE order_id = ANY($1::bigint[]) ORDER BY order_id, line_ref",
        list(orders),
    )
    for row in lines:
        orders[row["order_id"]].lines[row["line_ref"]] = Line(*row[1:])
    parts = await connection.fetch(
        "SELECT order_id, line_ref, location_id, reserved, shipped FROM order_part"
        " WHERE order_id = ANY($1::bigint[]) ORDER BY order_id, line_ref, location_id",
        list(orders),
    )
    for order_id, line_ref, location_id, reserved, shipped in parts:
        orders[order_id].lines[line_ref].parts[location_id] = Part(reserved, shipped)
    return {(order.channel_id, order.order_ref): order for order in orders.values()}


async def read_names(
    connection: Connection, facts: Sequence[Fact]
) -> dict[tuple[int, str], tuple[bytes, Outcome]]:
    """The names used before, with content hash and first outcome; read after the locks."""
    names = [
        (fact.channel_id, fact.fact_ref) for fact in facts if not isinstance(fact, OrderObserved)
    ]
    if not names:
        return {}
    rows = await connection.fetch(
        "SELECT channel_id, fact_ref, content_hash, outcome FROM fact"
        " WHERE (channel_id, fact_ref) IN (SELECT * FROM unnest($1::int[], $2::text[]))",
        [channel_id for channel_id, _ in names],
        [fact_ref for _, fact_ref in names],
    )
    return {
        (row["channel_id"], row["fact_ref"]): (
            row["content_hash"],
            msgspec.json.decode(row["outcome"], type=Outcome),
        )
        for row in rows
    }
