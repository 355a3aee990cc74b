"""The ledger's reading of orders, holds, transfers, supplies and counts, each under its lock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from inventory.booking.mentions import Mentions
from inventory.booking.page import Changes, Count, Hold, Supply, Transfer
from inventory.orders import Line, Order, Part

if TYPE_CHECKING:
    from inventory.db import Connection

ORDER_COLUMNS = (
    "channel_id, order_ref, id, ordered_at, seen_at, revision, digest, hint, cancelled,"
    " cancelled_by, cancel_reason, cancelled_at, buyer_asked_to_cancel, cancellable,"
    " fulfilled_by_channel, ship_by, shipped, past"
)


async def read_changes(connection: Connection, told: Mentions) -> Changes:
    """Lock and read what the facts name beside balances."""
    changes = Changes()
    if told.orders:
        changes.orders = await _read_orders(connection, told.orders)
    if told.holds:
        changes.holds = await _read_holds(connection, told.holds)
    if told.transfers:
        changes.transfers = await _read_named(connection, Transfer, told.transfers, _TRANSFERS)
    if told.supplies:
        changes.supplies = await _read_named(connection, Supply, told.supplies, _SUPPLIES)
    if told.counts:
        changes.counts = await _read_named(connection, Count, told.counts, _COUNTS)
    return changes


async def came_meanwhile(connection: Connection, told: Mentions, changes: Changes) -> bool:
    """Whether a hold, transfer, supply or count that was not there when they were read is now.

    An order need not be looked for: a new one is refused where it was made meanwhile.
    """
    holds = [key for key in told.holds if key not in changes.holds]
    transfers = [name for name in told.transfers if name not in changes.transfers]
    supplies = [name for name in told.supplies if name not in changes.supplies]
    counts = [name for name in told.counts if name not in changes.counts]
    if not (holds or transfers or supplies or counts):
        return False
    came: bool = await connection.fetchval(
        _CAME,
        [channel_id for channel_id, _ in holds],
        [reservation_ref for _, reservation_ref in holds],
        transfers,
        supplies,
        counts,
    )
    return came


_CAME = """
SELECT EXISTS (
    SELECT FROM fact f JOIN unnest($1::int[], $2::text[]) AS told (c, r)
    ON f.channel_id = told.c AND f.fact_ref = told.r
    WHERE f.kind = 'reserve' AND f.outcome IS NULL)
  OR EXISTS (SELECT FROM transfer WHERE transfer_ref = ANY($3::text[]))
  OR EXISTS (SELECT FROM inbound_supply WHERE supply_ref = ANY($4::text[]))
  OR EXISTS (SELECT FROM stock_count WHERE count_ref = ANY($5::text[]))
"""
_TRANSFERS = (
    "SELECT transfer_ref, sku_id, from_location_id, to_location_id, quantity, sent_at, arrived,"
    " missing, true FROM transfer WHERE transfer_ref = ANY($1::text[])"
    " ORDER BY transfer_ref FOR UPDATE"
)
_SUPPLIES = (
    "SELECT supply_ref, sku_id, location_id, expected, due_on, received, ended, true"
    " FROM inbound_supply WHERE supply_ref = ANY($1::text[]) ORDER BY supply_ref FOR UPDATE"
)
_COUNTS = (
    "SELECT count_ref, sku_id, location_id, counted, difference, reason, state, counted_at,"
    " true FROM stock_count WHERE count_ref = ANY($1::text[]) ORDER BY count_ref FOR UPDATE"
)


async def _read_named(
    connection: Connection, shape: Any, names: Sequence[str], query: str
) -> dict[str, Any]:
    return {row[0]: shape(*row) for row in await connection.fetch(query, names)}


async def _read_holds(
    connection: Connection, keys: Sequence[tuple[int, str]]
) -> dict[tuple[int, str], Hold]:
    """The holds of these names that were granted; one that has ended holds nothing."""
    named = await connection.fetch(
        "SELECT f.channel_id, f.fact_ref, f.id FROM fact f"
        " JOIN unnest($1::int[], $2::text[]) AS told (c, r)"
        " ON f.channel_id = told.c AND f.fact_ref = told.r"
        " WHERE f.kind = 'reserve' AND f.outcome IS NULL",
        [channel_id for channel_id, _ in keys],
        [reservation_ref for _, reservation_ref in keys],
    )
    rows = await connection.fetch(
        "SELECT fact_id, expires_at, parts FROM reservation WHERE fact_id = ANY($1::bigint[])"
        " ORDER BY fact_id FOR UPDATE",
        [row["id"] for row in named],
    )
    held = {row["fact_id"]: (row["expires_at"], _parts(row["parts"])) for row in rows}
    return {
        (channel_id, fact_ref): Hold(fact_id, channel_id, *held.get(fact_id, (None, {})))
        for channel_id, fact_ref, fact_id in named
    }


def _parts(flat: Sequence[int]) -> dict[tuple[int, int], int]:
    return {
        (sku_id, location_id): units
        for sku_id, location_id, units in zip(flat[::3], flat[1::3], flat[2::3], strict=True)
    }


async def _read_orders(
    connection: Connection, keys: Sequence[tuple[int, str]]
) -> dict[tuple[int, str], Order]:
    rows = await connection.fetch(
        f"SELECT {ORDER_COLUMNS} FROM sales_order"  # noqa: S608 -- a constant
        " WHERE (channel_id, order_ref) IN (SELECT * FROM unnest($1::int[], $2::text[]))"
        " ORDER BY channel_id, order_ref FOR UPDATE",
        [channel_id for channel_id, _ in keys],
        [order_ref for _, order_ref in keys],
    )
    orders = {row["id"]: Order(*row) for row in rows}
    if not orders:
        return {}
    lines = await connection.fetch(
        "SELECT order_id, line_ref, sku_id, listing_id, ordered, cancelled, shipped, unit_price,"
        " ended_at, lowered FROM order_line WHERE order_id = ANY($1::bigint[])"
        " ORDER BY order_id, line_ref",
        list(orders),
    )
    for row in lines:
        orders[row["order_id"]].lines[row["line_ref"]] = Line(*row[1:])
    parts = await connection.fetch(
        "SELECT order_id, line_ref, sku_id, per_unit, location_id, reserved, shipped"
        " FROM order_part WHERE order_id = ANY($1::bigint[])"
        " ORDER BY order_id, line_ref, sku_id, location_id",
        list(orders),
    )
    for order_id, line_ref, sku_id, per_unit, location_id, reserved, shipped in parts:
        line = orders[order_id].lines[line_ref]
        line.recipe[sku_id] = per_unit
        line.parts.setdefault(sku_id, {})[location_id] = Part(reserved, shipped)
    return {(order.channel_id, order.order_ref): order for order in orders.values()}
