"""The migrations make what the models say, also when two processes migrate at once."""

from __future__ import annotations

import asyncio

from inventory import schema
from inventory.db import Database
from inventory.embedded import create_database


async def test_migrations_and_models_agree(database: Database) -> None:
    async with database.engine.connect() as connection:
        assert await connection.run_sync(schema.differences) == []


async def test_two_processes_migrate_at_once(postgres: str) -> None:
    url = await create_database(postgres, "twice")
    assert not await schema.is_current(url)
    revisions = await asyncio.gather(schema.migrate(url), schema.migrate(url))
    assert revisions[0] == revisions[1]
    assert await schema.is_current(url)
