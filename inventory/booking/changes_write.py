"""The ledger's writing of orders, holds, transfers, supplies and counts; set-based raw SQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from inventory.booking.page import Hold, Page
from inventory.orders import Order

if TYPE_CHECKING:
    from inventory.db import Connection

_ORDER_TYPES = (
    "$1::int[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::int[], $6::bytea[],"
    " $7::text[], $8::bool[], $9::text[], $10::text[], $11::timestamptz[], $12::bool[],"
    " $13::bool[], $14::bool[], $15::timestamptz[], $16::bool[], $17::bool[]"
)
_ORDER_NAMES = (
    "channel_id, order_ref, ordered_at, seen_at, revision, digest, hint, cancelled, cancelled_by,"
    " cancel_reason, cancelled_at, asked, cancellable, by_channel, ship_by, shipped, past"
)
_NEW_ORDERS = f"""
INSERT INTO sales_order (channel_id, order_ref, ordered_at, seen_at, revision, digest, hint,
  cancelled, cancelled_by, cancel_reason, cancelled_at, buyer_asked_to_cancel, cancellable,
  fulfilled_by_channel, ship_by, shipped, past, recorded_at, buyer_asked_at)
SELECT *, $18, CASE WHEN n.asked THEN coalesce(n.seen_at, $18) END
FROM unnest({_ORDER_TYPES}) AS n ({_ORDER_NAMES})
RETURNING id, channel_id, order_ref
"""  # noqa: S608 -- constants
_CHANGED_ORDERS = f"""
UPDATE sales_order o SET ordered_at = n.ordered_at, seen_at = n.seen_at, revision = n.revision,
  digest = n.digest, hint = n.hint, cancelled = n.cancelled, cancelled_by = n.cancelled_by,
  cancel_reason = n.cancel_reason, cancelled_at = n.cancelled_at,
  buyer_asked_to_cancel = n.asked, cancellable = n.cancellable,
  fulfilled_by_channel = n.by_channel, ship_by = n.ship_by, shipped = n.shipped, past = n.past,
  buyer_asked_at = CASE WHEN n.asked THEN coalesce(o.buyer_asked_at, n.seen_at) END
FROM unnest({_ORDER_TYPES}) AS n ({_ORDER_NAMES})
WHERE o.channel_id = n.channel_id AND o.order_ref = n.order_ref
"""  # noqa: S608 -- constants
_LINES = """
INSERT INTO order_line (order_id, line_ref, sku_id, listing_id, ordered, cancelled, shipped,
  unit_price, ended_at, ordered_at, lowered)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::int[], $4::int[], $5::int[], $6::int[],
  $7::int[], $8::int[], $9::timestamptz[], $10::timestamptz[], $11::int[])
ON CONFLICT (order_id, line_ref) DO UPDATE SET sku_id = excluded.sku_id,
  listing_id = excluded.listing_id, ordered = excluded.ordered, cancelled = excluded.cancelled,
  shipped = excluded.shipped, unit_price = excluded.unit_price, ended_at = excluded.ended_at,
  ordered_at = excluded.ordered_at, lowered = excluded.lowered
"""
_PARTS = """
INSERT INTO order_part (order_id, line_ref, sku_id, location_id, per_unit, reserved, shipped)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::int[], $4::int[], $5::int[], $6::int[],
  $7::int[])
ON CONFLICT (order_id, line_ref, sku_id, location_id) DO UPDATE SET per_unit = excluded.per_unit,
  reserved = excluded.reserved, shipped = excluded.shipped
"""
# A name that another process has used meanwhile is refused, as an order's is.
_NEW_TRANSFERS = """
INSERT INTO transfer (transfer_ref, sku_id, from_location_id, to_location_id, quantity, sent_at,
  arrived, missing)
SELECT * FROM unnest($1::text[], $2::int[], $3::int[], $4::int[], $5::int[], $6::timestamptz[],
  $7::int[], $8::int[])
"""
_CHANGED_TRANSFERS = """
UPDATE transfer SET arrived = n.arrived, missing = n.missing
FROM unnest($1::text[], $2::int[], $3::int[]) AS n (transfer_ref, arrived, missing)
WHERE transfer.transfer_ref = n.transfer_ref
"""
_NEW_SUPPLIES = """
INSERT INTO inbound_supply (supply_ref, sku_id, location_id, expected, due_on, received, ended,
  changed_at)
SELECT *, $8 FROM unnest($1::text[], $2::int[], $3::int[], $4::int[], $5::date[], $6::int[],
  $7::bool[])
"""
_CHANGED_SUPPLIES = """
UPDATE inbound_supply SET location_id = n.location_id, expected = n.expected, due_on = n.due_on,
  received = n.received, ended = n.ended, changed_at = $8
FROM unnest($1::text[], $2::int[], $3::int[], $4::int[], $5::date[], $6::int[], $7::bool[])
  AS n (supply_ref, sku_id, location_id, expected, due_on, received, ended)
WHERE inbound_supply.supply_ref = n.supply_ref
"""
_NEW_COUNTS = """
INSERT INTO stock_count (count_ref, sku_id, location_id, counted, difference, reason, state,
  counted_at)
SELECT * FROM unnest($1::text[], $2::int[], $3::int[], $4::int[], $5::int[], $6::text[],
  $7::text[], $8::timestamptz[])
"""
_CHANGED_COUNTS = """
UPDATE stock_count SET state = n.state FROM unnest($1::text[], $2::text[]) AS n (count_ref, state)
WHERE stock_count.count_ref = n.count_ref
"""


async def write_changes(connection: Connection, page: Page) -> None:
    """Write what the batch changed beside balances; holds that were new are written with them."""
    changes = page.changes
    if changes.changed_orders:
        orders = [changes.changed_orders[key] for key in sorted(changes.changed_orders)]
        await _write_orders(connection, orders, page.now)
    await _write_holds(connection, page)
    if changes.changed_transfers:
        await _write_transfers(connection, page)
    if changes.changed_supplies:
        await _write_supplies(connection, page)
    if changes.changed_counts:
        await _write_counts(connection, page)


def _columns(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def flat(hold: Hold) -> str:
    """The units still held as PostgreSQL writes an array: SKU id, location id, units, and so on."""
    numbers = [str(n) for key, units in hold.parts.items() for n in (*key, units)]
    return "{" + ",".join(numbers) + "}"


async def _write_holds(connection: Connection, page: Page) -> None:
    new = {hold.fact_id for hold in page.changes.new_holds}
    changed = [
        page.changes.changed_holds[fact_id]
        for fact_id in sorted(page.changes.changed_holds)
        if fact_id not in new
    ]
    ended = [hold.fact_id for hold in changed if not hold.parts]
    if ended:
        await connection.execute("DELETE FROM reservation WHERE fact_id = ANY($1::bigint[])", ended)
    smaller = [hold for hold in changed if hold.parts]
    if smaller:
        await connection.execute(
            "UPDATE reservation SET parts = n.parts::int[]"
            " FROM unnest($1::bigint[], $2::text[]) AS n (fact_id, parts)"
            " WHERE reservation.fact_id = n.fact_id",
            [hold.fact_id for hold in smaller],
            [flat(hold) for hold in smaller],
        )


async def _write_orders(connection: Connection, orders: Sequence[Order], now: datetime) -> None:
    new = [order for order in orders if order.id is None]
    old = [order for order in orders if order.id is not None]
    if new:
        # An order that another process has made meanwhile was not under our lock: the plain
        # insert refuses it, and the batch is decided again.
        rows = await connection.fetch(_NEW_ORDERS, *_columns(map(_order_values, new)), now)
        ids = {(row["channel_id"], row["order_ref"]): row["id"] for row in rows}
        for order in new:
            order.id = ids[order.channel_id, order.order_ref]
    if old:
        await connection.execute(_CHANGED_ORDERS, *_columns(map(_order_values, old)))
    await _write_lines(connection, orders)
    await _write_parts(connection, orders)


async def _write_lines(connection: Connection, orders: Sequence[Order]) -> None:
    rows = [
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
            line.lowered,
        )
        for order in orders
        for line in order.lines.values()
    ]
    if rows:
        await connection.execute(_LINES, *_columns(rows))


async def _write_parts(connection: Connection, orders: Sequence[Order]) -> None:
    rows = [
        (
            order.id,
            line.line_ref,
            sku_id,
            location_id,
            line.recipe.get(sku_id, 1),
            part.reserved,
            part.shipped,
        )
        for order in orders
        for line in order.lines.values()
        for sku_id, taken in line.parts.items()
        for location_id, part in taken.items()
    ]
    if rows:
        await connection.execute(_PARTS, *_columns(rows))


def _order_values(order: Order) -> tuple[Any, ...]:
    return (
        order.channel_id,
        order.order_ref,
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
        order.past,
    )


async def _write_transfers(connection: Connection, page: Page) -> None:
    transfers = page.changes.changed_transfers.values()
    new = [
        (
            transfer.transfer_ref,
            transfer.sku_id,
            transfer.from_location_id,
            transfer.to_location_id,
            transfer.quantity,
            transfer.sent_at,
            transfer.arrived,
            transfer.missing,
        )
        for transfer in transfers
        if not transfer.stored
    ]
    changed = [(one.transfer_ref, one.arrived, one.missing) for one in transfers if one.stored]
    if new:
        await connection.execute(_NEW_TRANSFERS, *_columns(new))
    if changed:
        await connection.execute(_CHANGED_TRANSFERS, *_columns(changed))


async def _write_supplies(connection: Connection, page: Page) -> None:
    for stored, statement in ((False, _NEW_SUPPLIES), (True, _CHANGED_SUPPLIES)):
        rows = [
            (
                supply.supply_ref,
                supply.sku_id,
                supply.location_id,
                supply.expected,
                supply.due_on,
                supply.received,
                supply.ended,
            )
            for supply in page.changes.changed_supplies.values()
            if supply.stored is stored
        ]
        if rows:
            await connection.execute(statement, *_columns(rows), page.now)


async def _write_counts(connection: Connection, page: Page) -> None:
    counts = page.changes.changed_counts.values()
    new = [
        (
            count.count_ref,
            count.sku_id,
            count.location_id,
            count.counted,
            count.difference,
            count.reason,
            count.state,
            count.counted_at,
        )
        for count in counts
        if not count.stored
    ]
    changed = [(count.count_ref, count.state) for count in counts if count.stored]
    if new:
        await connection.execute(_NEW_COUNTS, *_columns(new))
    if changed:
        await connection.execute(_CHANGED_COUNTS, *_columns(changed))
