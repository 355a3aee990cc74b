"""A database of the release before, with what stood in it, brought to the newest schema."""

from __future__ import annotations

from typing import Any

from alembic import command
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from inventory import schema
from inventory.db import sqlalchemy_url
from inventory.embedded import create_database

BEFORE = "0007"
WHEN = "'2026-11-20 12:00+00'"
HELD = f"""
INSERT INTO channel (id, code, kind, desk_policy) OVERRIDING SYSTEM VALUE
  VALUES (7, 'amazon', 'amazon', 'auto');
INSERT INTO sku (id, code, name) OVERRIDING SYSTEM VALUE VALUES (1, 'MUG', 'Mug');
INSERT INTO sales_order (id, channel_id, order_ref, ordered_at, cancelled, buyer_asked_to_cancel,
  recorded_at) OVERRIDING SYSTEM VALUE
  VALUES (1, 7, 'o-1', {WHEN}, true, false, {WHEN}), (2, 7, 'o-2', {WHEN}, true, false, {WHEN}),
    (3, 7, 'o-3', {WHEN}, false, true, {WHEN});
INSERT INTO order_line (order_id, line_ref, ordered, unit_price) VALUES
  (1, '1', 2, 900), (2, '1', 1, NULL);
INSERT INTO cancellation (id, channel_id, order_id, state, reason, reason_code, proposed_at,
  confirmed_at) OVERRIDING SYSTEM VALUE
  VALUES (1, 7, 1, 'confirmed', 'out_of_stock', 'NoInventory', {WHEN}, {WHEN}),
    (2, 7, 2, 'observed', 'buyer_self', '', {WHEN}, NULL),
    (3, 7, 3, 'proposed', 'out_of_stock', 'NoInventory', {WHEN}, NULL);
INSERT INTO penalty_entry (cancellation_id, channel_id, order_ref, reason_code,
  counts_against_metric, weighs, metric_before, metric_after, recorded_at)
  VALUES (1, 7, 'o-1', 'NoInventory', 'yes', true, '{{}}', '{{}}', {WHEN});
INSERT INTO alert_rule (id, level) OVERRIDING SYSTEM VALUE VALUES (1, 3);
INSERT INTO alert (kind, subject, rule_id, state, detail, fired_at) VALUES
  ('low_stock', 'sku:MUG', 1, 'open', '{{}}', {WHEN}),
  ('oversell', 'sku:GONE', NULL, 'closed', '{{}}', {WHEN}),
  ('endpoint_disabled', 'endpoint:2', NULL, 'open', '{{}}', {WHEN});
INSERT INTO webhook_endpoint (id, url, secret, events, active) OVERRIDING SYSTEM VALUE VALUES
  (1, 'https://a.example/hook', '-', '{{alert.fired}}', true),
  (2, 'https://b.example/hook', '-', '{{}}', false),
  (3, 'https://c.example/hook', '-', '{{}}', false);
INSERT INTO delivery (endpoint_id, message_id, event, topic, body, due_at, created_at) VALUES
  (1, 'msg_1', 'listing.quantity', 'own/MUG', '{{"revision": 4}}', {WHEN}, {WHEN}),
  (1, 'msg_2', 'alert.fired', NULL, '{{}}', {WHEN}, {WHEN});
"""  # noqa: S608 -- constants


def _fill(connection: Connection) -> None:
    config = schema._config()
    config.attributes["connection"] = connection
    command.upgrade(config, BEFORE)
    for statement in HELD.split(";\n"):
        if statement.strip():
            connection.execute(text(statement.replace(":", r"\:")))
    connection.commit()


async def test_what_stood_in_the_books_before_is_there_afterwards(postgres: str) -> None:
    url = await create_database(postgres, "older")
    engine = create_async_engine(sqlalchemy_url(url))
    async with engine.connect() as connection:
        await connection.run_sync(_fill)
    await schema.migrate(url)

    async with engine.connect() as connection:

        async def rows(query: str) -> list[tuple[Any, ...]]:
            return [tuple(row) for row in await connection.execute(text(query))]

        entries = await rows(
            "SELECT order_ref, cause, weighs, worth_yen, cost, ended_at IS NOT NULL"
            " FROM penalty_entry ORDER BY order_ref"
        )
        alerts = await rows("SELECT kind, sku_id, told_at IS NOT NULL FROM alert ORDER BY id")
        told = await rows("SELECT alert_id, event, team_id FROM alert_message ORDER BY alert_id")
        endpoints = await rows(
            "SELECT id, active, removed_at IS NOT NULL, events FROM webhook_endpoint ORDER BY id"
        )
        waiting = await rows("SELECT topic, version FROM delivery ORDER BY id")
        asked = await rows("SELECT order_ref FROM sales_order WHERE buyer_asked_at IS NOT NULL")
        proposals = await rows("SELECT id, decide_by, cost FROM cancellation WHERE id = 3")
    await engine.dispose()

    assert entries == [
        ("o-1", "shop_out_of_stock", True, 1800, None, True),
        ("o-2", "buyer_self", False, None, None, True),
    ]
    assert alerts == [
        ("low_stock", 1, True),
        ("oversell", None, True),
        ("endpoint_disabled", None, True),
    ]
    assert told == [(1, "fired", None), (3, "fired", None)]
    # The second said 410, and may be enabled again; the third was removed by a person.
    assert [row[:3] for row in endpoints] == [(1, True, False), (2, False, False), (3, False, True)]
    assert "alert.digest" in endpoints[0][3]
    assert waiting == [("listing/own/MUG", 4), (None, 0)]
    assert (asked, proposals) == ([("o-3",)], [(3, None, None)])
