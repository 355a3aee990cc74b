"""Ends that were there before the penalty record told all of them, brought to the newest schema."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from alembic import command
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from inventory import schema
from inventory.db import sqlalchemy_url
from inventory.embedded import create_database

BEFORE = "0009"
WHEN = datetime(2026, 11, 20, 12, tzinfo=UTC)
CHANNELS = {1: "amazon", 2: "rakuten", 3: "yahoo", 4: "shopify", 5: "own_store"}
# Ended orders without an entry: channel, cause, who ships; whether it surely counts nowhere.
UNENTERED = [
    (1, "buyer_self", "shop", True),
    (1, "buyer_request", "shop", True),
    (1, "marketplace", "shop", True),
    (1, "marketplace_lapsed", "shop", False),
    (1, "out_of_stock", "shop", False),
    (1, "out_of_stock", "channel", True),
    (1, "shop_other", "shop", False),
    (1, "unknown", "shop", False),
    (2, "out_of_stock", "shop", False),
    (2, "buyer_self", "shop", False),
    (2, "out_of_stock", "channel", False),
    (3, "buyer_request", "shop", True),
    (3, "buyer_self", "shop", False),
    (3, "shop_other", "shop", False),
    (4, "marketplace", "shop", True),
    (4, "shop_other", "shop", False),
    (5, "unknown", "shop", True),
    (5, "shop_other", "shop", True),
]


ORDER = """
INSERT INTO sales_order (id, channel_id, order_ref, ordered_at, cancelled, fulfilled_by_channel,
  recorded_at) OVERRIDING SYSTEM VALUE
VALUES (:id, :channel, 'o-' || :id, :now, :cancelled, :by_channel, :now)
"""
LINE = """
INSERT INTO order_line (order_id, line_ref, ordered, cancelled, unit_price)
VALUES (:id, '1', 2, :ended, 900)
"""
CANCELLATION = """
INSERT INTO cancellation (id, channel_id, order_id, state, reason, reason_code, proposed_at,
  confirmed_at) OVERRIDING SYSTEM VALUE
VALUES (:id, :channel, :id, :state, :reason, '', :now, :now)
"""
ENTRY = """
INSERT INTO penalty_entry (cancellation_id, channel_id, order_ref, reason_code,
  counts_against_metric, weighs, metric_before, metric_after, recorded_at)
VALUES (:id, :channel, 'o-91', 'NoInventory', 'yes', true, '{}', '{}', :now)
"""
CHANNEL = """
INSERT INTO channel (id, code, kind, desk_policy) OVERRIDING SYSTEM VALUE
VALUES (:id, :kind, :kind, 'auto')
"""


def _order(
    connection: Connection, number: int, channel: int, *, ended: int, by_channel: bool = False
) -> None:
    values = {"id": number, "channel": channel, "ended": ended, "now": WHEN}
    values |= {"cancelled": ended == 2, "by_channel": by_channel}
    connection.execute(text(ORDER.replace("'o-' || :id", f"'o-{number}'")), values)
    connection.execute(text(LINE), values)


def _ended(connection: Connection, number: int, channel: int, reason: str, ships: str) -> None:
    _order(connection, number, channel, ended=2, by_channel=ships == "channel")
    state = "confirmed" if reason == "out_of_stock" else "observed"
    values = {"id": number, "channel": channel, "state": state, "reason": reason, "now": WHEN}
    connection.execute(text(CANCELLATION), values)


def _fill(connection: Connection) -> None:
    config = schema._config()
    config.attributes["connection"] = connection
    command.upgrade(config, BEFORE)
    for number, kind in CHANNELS.items():
        connection.execute(text(CHANNEL), {"id": number, "kind": kind})
    for number, (channel, reason, ships, _) in enumerate(UNENTERED, start=1):
        _ended(connection, number, channel, reason, ships)
    _ended(connection, 91, 1, "out_of_stock", "shop")
    connection.execute(text(ENTRY), {"id": 91, "channel": 1, "now": WHEN})
    _order(connection, 92, 1, ended=1)
    connection.commit()


async def test_what_is_not_known_of_an_older_end_is_unconfirmed(postgres: str) -> None:
    url = await create_database(postgres, "older_ends")
    engine = create_async_engine(sqlalchemy_url(url))
    async with engine.connect() as connection:
        await connection.run_sync(_fill)
    await schema.migrate(url)

    async with engine.connect() as connection:

        async def rows(query: str) -> list[tuple[Any, ...]]:
            return [tuple(row) for row in await connection.execute(text(query))]

        entries = await rows(
            "SELECT order_id, counts_against_metric, weighs, part, lines -> 0 ->> 'ordered',"
            " worth_yen FROM penalty_entry WHERE order_id < 90 ORDER BY order_id"
        )
        told = await rows(
            "SELECT order_id, cause, counts_against_metric, weighs FROM penalty_entry"
            " WHERE order_id > 90"
        )
        left = await rows(
            "SELECT order_id FROM order_line"
            " WHERE lowered + least(cancelled, ordered - shipped) > ends_recorded"
        )
    await engine.dispose()

    assert entries == [
        (number, "no" if surely else "unconfirmed", False, 0, "2", 1800)
        for number, (_, _, _, surely) in enumerate(UNENTERED, start=1)
    ]
    # What was on record stands as it was.
    assert told == [(91, "shop_out_of_stock", "yes", True)]
    # The part of an order that lives on is still to be put on record.
    assert left == [(92,)]
