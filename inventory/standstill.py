"""A moment in which no batch of the ledger is under way, for changing what its batches read."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.errors import TooBusy

SECONDS_MAX = 2
RETRY_SECONDS = 5
LOCK_NOT_AVAILABLE = "55P03"


async def standstill(session: AsyncSession) -> None:
    """Wait for the batches under way, and let none begin before this transaction has ended.

    A batch reads locations and recipes at the moment in which it locks balances. Whoever takes a
    location out of sale, or makes a kit of a SKU, must neither miss what a batch is booking nor be
    missed by it. Call it before any other lock, and end soon: every sale waits. Raises `TooBusy`
    when a batch takes longer than 2 seconds.
    """
    await session.execute(text(f"SET LOCAL lock_timeout = '{SECONDS_MAX}s'"))
    try:
        await session.execute(text("LOCK TABLE stock_level IN EXCLUSIVE MODE"))
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
            raise
        raise TooBusy("the ledger did not come to a standstill", RETRY_SECONDS) from None
    await session.execute(text("SET LOCAL lock_timeout TO DEFAULT"))
