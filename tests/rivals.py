"""Rivals in the database: held up by a lock, or let in at a chosen instant."""

from __future__ import annotations

import asyncio
from typing import Any

from inventory.db import Database

WAITING = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


async def until_waiting(database: Database, task: asyncio.Task[Any], *, waiters: int = 1) -> None:
    """Until `waiters` transactions wait for a lock, or the task is done. At most ten seconds."""
    pool = await database.pool()
    async with asyncio.timeout(10):
        while (  # noqa: ASYNC110 -- PostgreSQL has no event that says so
            not task.done() and await pool.fetchval(WAITING) < waiters
        ):
            await asyncio.sleep(0.01)
