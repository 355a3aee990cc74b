"""However much waits, a claim reads what it takes: in the order of an index, without sorting."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from inventory import publishing, resyncs
from inventory.db import Database
from tests.conftest import HandClock


@pytest.mark.parametrize(
    ("query", "index"),
    [(publishing._DUE, "ix_listing_stale"), (resyncs._DUE, "resync_mark")],
    ids=["a lane", "a resync"],
)
async def test_what_is_due_comes_in_order(
    database: Database, clock: HandClock, query: object, index: str
) -> None:
    which = {"channel": 1, "lane": "lower", "now": clock.now(), "most": 400}
    names = str(query)
    used = {name: value for name, value in which.items() if f":{name}" in names}
    async with database.sessions() as session:
        # What an empty table is planned like, with the costs of a full one.
        await session.execute(text("SET LOCAL enable_seqscan = off"))
        await session.execute(text("SET LOCAL enable_bitmapscan = off"))
        plan = "\n".join(await session.scalars(text(f"EXPLAIN {names}"), used))
    assert index in plan
    assert "Sort" not in plan, plan
