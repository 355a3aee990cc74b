"""Nothing of an address or a key stays behind where an endpoint was removed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from alembic import command
from sqlalchemy import Connection, select, text
from sqlalchemy.ext.asyncio import create_async_engine

from inventory import schema
from inventory.api.webhooks import endpoint_fields
from inventory.db import Database, sqlalchemy_url
from inventory.embedded import create_database
from inventory.models import WebhookEndpoint
from inventory.outgoing import removals
from inventory.outgoing.dispatch import Verdict
from inventory.outgoing.outbound import Answer
from tests.factories import NOON
from tests.notices.conftest import Endpoint
from tests.notices.steps import DOWN, OK, claim, end, queue, rows

# Removed by the release before addresses were sealed, and by the one after; the last is in use.
HELD = """
INSERT INTO webhook_endpoint (kind, url, address, secret, secret_previous, public_key_previous,
  active, removed_at) VALUES
  ('webhook', 'https://a.example:8443/hook?key=canary', NULL, 'canary', NULL, NULL, false, now()),
  ('slack', 'https://canary:canary@b.example', 'canary', 'canary', 'canary', 'whpk_', false, now()),
  ('email', 'smtp://mail.example', 'canary', 'canary', NULL, NULL, false, now()),
  ('webhook', 'https://c.example/…', 'address', 'key', 'older', 'whpk_', true, NULL)
"""


def _before(connection: Connection) -> None:
    config = schema._config()
    config.attributes["connection"] = connection
    command.upgrade(config, "0012")
    connection.execute(text(HELD))
    connection.commit()


async def test_upgrade_forgets_what_removed_endpoints_left(postgres: str) -> None:
    url = await create_database(postgres, "removed_before")
    engine = create_async_engine(sqlalchemy_url(url))
    async with engine.connect() as connection:
        await connection.run_sync(_before)
    await schema.migrate(url)

    async with engine.connect() as connection:
        found = await connection.execute(
            text(
                "SELECT url, address, secret, secret_previous, public_key_previous"
                " FROM webhook_endpoint ORDER BY id"
            )
        )
        kept = [tuple(row) for row in found]
    await engine.dispose()
    assert kept == [
        ("https://a.example:8443/…", b"", b"", None, None),
        ("https://b.example/…", b"", b"", None, None),
        ("smtp://mail.example", b"", b"", None, None),
        ("https://c.example/…", b"address", b"key", b"older", "whpk_"),
    ]


async def test_address_that_no_worker_has_sealed_yet_is_neither_shown_nor_left(
    database: Database,
) -> None:
    async with database.transaction() as session:
        session.add(WebhookEndpoint(url="https://a.example/hook?key=canary", secret=b"canary"))
    async with database.transaction() as session:
        row = (await session.scalars(select(WebhookEndpoint))).one()
        assert endpoint_fields(row)["url"] == "https://a.example/…"
        await removals.remove(session, row.id, NOON)

    pool = await database.pool()
    [kept] = await pool.fetch("SELECT * FROM webhook_endpoint")
    assert "canary" not in str(kept)
    assert kept["url"] == "https://a.example/…"


@pytest.mark.parametrize(
    ("answer", "verdict", "state"),
    [(DOWN, Verdict.PARKED, "parked"), (OK, Verdict.DELIVERED, "delivered")],
)
async def test_what_waits_for_a_removed_endpoint_waits_no_longer(
    database: Database,
    endpoint: Endpoint,
    answer: Answer,
    verdict: Verdict,
    state: str,
) -> None:
    made, _ = await endpoint()
    await queue(database, n=0)
    [under_way] = await claim(database)
    await queue(database, n=1)
    async with database.transaction() as session:
        await removals.remove(session, made.id, NOON)

    assert await end(database, under_way, answer) is verdict

    assert sorted((row.body["n"], row.state, row.last_failure) for row in await rows(database)) == [
        (0, state, answer.failure),
        (1, "parked", "endpoint_removed"),
    ]
    assert await claim(database, NOON + timedelta(days=30)) == []
