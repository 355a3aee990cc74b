"""What would be published to a channel, beside what it shows: to look at before it goes live."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct, convert
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


class ShadowRow(Struct, frozen=True, kw_only=True):
    """One listing: the number that the channel showed at `known_at`, and the one that would go out.

    `shows` null: it was neither read nor discovered yet. `difference` is what would change there.
    """

    id: int
    channel_sku: str
    sku: str
    shows: int | None
    would_show: int | None
    difference: int | None
    lane: str | None
    known_at: datetime | None
    failure: str | None


class ShadowTotals(Struct, frozen=True, kw_only=True):
    """A channel's listings by what would become of their numbers.

    `unread` ones are read first. `to_zero` are among those that would fall. `unlisted` were
    discovered at the channel and are not mapped: their sales would be parked.
    """

    listings: int
    agree: int
    would_rise: int
    would_fall: int
    to_zero: int
    unread: int
    unlisted: int


# What the channel ships itself is never published, and what it keeps closed is not opened by us.
# A zero needs no reading to be sent, so what was discovered stands in for what was not read.
_COMPARED = """
SELECT l.id, l.channel_sku, s.code AS sku, shown.quantity AS shows,
  l.quantity_wanted AS would_show, l.quantity_wanted - shown.quantity AS difference,
  l.lane, shown.known_at, l.failure
FROM listing l JOIN sku s ON s.id = l.sku_id
LEFT JOIN listing_seen n ON n.channel_id = l.channel_id AND n.channel_sku = l.channel_sku
CROSS JOIN LATERAL (
  SELECT coalesce(l.quantity_known, n.quantity) AS quantity,
    CASE WHEN l.quantity_known IS NULL THEN n.seen_at ELSE l.known_at END AS known_at
) shown
WHERE l.channel_id = :channel AND NOT l.fulfilled_by_channel AND NOT l.closed_by_channel
"""
_ROWS = text(
    _COMPARED
    + """ AND l.id > :after
  AND (NOT :differing OR l.quantity_wanted IS DISTINCT FROM shown.quantity)
ORDER BY l.id LIMIT :most"""
)
_TOTALS = text(f"""
WITH compared AS ({_COMPARED})
SELECT count(*) AS listings, count(*) FILTER (WHERE difference = 0) AS agree,
  count(*) FILTER (WHERE difference > 0) AS would_rise,
  count(*) FILTER (WHERE difference < 0) AS would_fall,
  count(*) FILTER (WHERE difference < 0 AND would_show = 0) AS to_zero,
  count(*) FILTER (WHERE difference IS NULL) AS unread,
  (SELECT count(*) FROM listing_seen n WHERE n.channel_id = :channel AND NOT n.fulfilled_by_channel
    AND NOT EXISTS (SELECT FROM listing l
      WHERE l.channel_id = n.channel_id AND l.channel_sku = n.channel_sku)) AS unlisted
FROM compared
""")  # noqa: S608 -- constants


async def rows(
    session: AsyncSession, channel_id: int, *, after_id: int, limit: int, differing: bool
) -> list[ShadowRow]:
    """A channel's listings by id, or only those whose number would change."""
    values = {"channel": channel_id, "after": after_id, "most": limit, "differing": differing}
    found = await session.execute(_ROWS, values)
    return [convert(dict(row), ShadowRow) for row in found.mappings()]


async def totals(session: AsyncSession, channel_id: int) -> ShadowTotals:
    """How many numbers would change."""
    found = await session.execute(_TOTALS, {"channel": channel_id})
    return convert(dict(found.mappings().one()), ShadowTotals)
