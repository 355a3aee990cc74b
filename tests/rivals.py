"""Rivals in the database: held up by a lock, or let in at a chosen instant."""

from __future__ import annotations

import asyncio
from typing import Any

from inventory.db import Database


async def until_waiting(database: Database, task: asyncio.Task[Any], *, waiters: int = 1) -> None:
    """Until so many transactions wait for a lock, or the task is done. No event says so."""
    pool = await database.pool()
    query = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with asyncio.timeout(10):
        while not task.done() and await pool.fetchval(query) < waiters:  # noqa: ASYNC110 -- see above
            await asyncio.sleep(0.01)
