"""Shortages that no batch of the ledger has measured: rules have changed, stock has not."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.booking import ledger_read, ledger_write
from inventory.db import Database

_DOUBTFUL = text("""
SELECT sku_id FROM unnest(CAST(:ids AS int[])) AS told (sku_id)
WHERE EXISTS (SELECT FROM stock_level v WHERE v.sku_id = told.sku_id AND v.reserved > v.on_hand)
  OR EXISTS (SELECT FROM oversell o WHERE o.sku_id = told.sku_id AND o.state = 'open'
    AND o.shortage > 0)
ORDER BY sku_id
""")


async def doubtful(session: AsyncSession, sku_ids: Collection[int]) -> list[int]:
    """Those of these SKUs that may be short, or no longer short, under the rules of now.

    Most are not: without a location that has promised more than lies there, nothing is short.
    """
    return list(await session.scalars(_DOUBTFUL, {"ids": list(sku_ids)}))


async def judge(database: Database, sku_ids: Sequence[int], now: datetime) -> None:
    """Measure the shortage of these SKUs under the ledger's own locks; open, measure, end cases.

    A batch measures what it moves by the rules that it read. What a location, the locations of a
    channel or a pre-order pot has changed since is measured here. No stock is written.
    """
    if not sku_ids:
        return
    pool = await database.pool()
    async with pool.acquire() as connection, connection.transaction():
        page = await ledger_read.read_balances(connection, sku_ids, now)
        shortages = {sku_id: page.shortage(sku_id) for sku_id in sku_ids}
        await ledger_write.write_cases(connection, page, shortages, {})
