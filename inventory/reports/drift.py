"""Reads of drift: what channels show beside what they should, with the story of each case."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct, convert
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


class DriftRow(Struct, frozen=True, kw_only=True):
    """One case: the channel showed `shown`, from `expected_low` to `expected_high` was expected.

    `shown` is null where the channel has no such listing, the others where nothing was known.
    `read_at` is of the last reading that differed, `times` how many have. `story` says why.
    """

    id: int
    channel: str
    channel_sku: str
    sku: str
    cause: str
    story: str
    shown: int | None
    expected_low: int | None
    expected_high: int | None
    read_at: datetime
    first_seen: datetime
    last_seen: datetime
    times: int
    closed_at: datetime | None


_DRIFT = text("""
SELECT d.id, c.code AS channel, l.channel_sku, s.code AS sku, d.cause, d.story, d.shown,
  d.expected_low, d.expected_high, d.read_at, d.first_seen, d.last_seen, d.times, d.closed_at
FROM drift d JOIN listing l ON l.id = d.listing_id JOIN channel c ON c.id = l.channel_id
JOIN sku s ON s.id = l.sku_id
WHERE d.id < :before AND (CAST(:channel AS text) IS NULL OR c.code = :channel)
  AND (CAST(:open AS boolean) IS NULL OR (d.closed_at IS NULL) = :open)
ORDER BY d.id DESC LIMIT :most
""")


async def drift(
    session: AsyncSession,
    *,
    channel: str | None = None,
    open_: bool | None = None,
    before_id: int,
    limit: int,
) -> list[DriftRow]:
    """Cases, newest first; of one channel, and only the open or the closed ones, if so asked."""
    which = {"channel": channel, "open": open_, "before": before_id, "most": limit}
    rows = await session.execute(_DRIFT, which)
    return [convert(dict(row), DriftRow) for row in rows.mappings()]
