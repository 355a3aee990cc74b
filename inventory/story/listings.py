"""What each listing showed and was told around one oversell: the push log and the readings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct
from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncSession

LISTINGS_MAX = 50
MOMENTS_MAX = 60


class Moment(Struct, frozen=True, kw_only=True):
    """A number that a listing was told, or that was read from it.

    Told: sent at `at`, answered at `answered_at` (null: no answer); `status` is sent, accepted,
    refused or unknown, `code` the channel's word, `change` the difference where one was sent.
    Read: `expected_low` to `expected_high` is what we expected then, `agrees` whether it fits; of
    readings that agree one after the other only the last is kept.
    """

    at: datetime
    what: Literal["told", "read"]
    quantity: int | None
    change: int | None = None
    answered_at: datetime | None = None
    lane: str = ""
    status: str = ""
    code: str = ""
    expected_low: int | None = None
    expected_high: int | None = None
    agrees: bool | None = None
    closed: bool | None = None


class ListingTold(Struct, frozen=True, kw_only=True):
    """One listing of the SKU, or of a kit that holds it, and its moments in order of time.

    `frozen` and `closed` are as they are now. The first moments may lie before the story: the last
    number that was told or read by then.
    """

    listing: int
    channel: str
    kind: str
    channel_sku: str
    sku: str
    frozen: bool
    closed: bool
    moments: tuple[Moment, ...]
    moments_left_out: int


_LISTINGS = text("""
SELECT l.id AS listing, c.code AS channel, c.kind, l.channel_sku, s.code AS sku, c.frozen,
  l.closed OR l.closed_by_channel AS closed
FROM listing l JOIN channel c ON c.id = l.channel_id JOIN sku s ON s.id = l.sku_id
WHERE l.id = ANY(:ids) ORDER BY c.id, l.id
""")
# Push ids rise with the time of sending, so that a listing's log need not be read from its start.
_FIRST = text("""
SELECT c.code AS channel, (SELECT min(p.id) FROM push p
  WHERE p.channel_id = c.id AND p.sent_at >= :since) AS first
FROM channel c WHERE c.id IN (SELECT channel_id FROM listing WHERE id = ANY(:ids))
""")
_TOLD = """
SELECT p.sent_at AS at, r.quantity, r.change, p.ended_at AS answered_at, r.lane, r.status, r.code
FROM push_row r JOIN push p ON p.id = r.push_id WHERE r.listing_id = :listing
"""
_TOLD_BEFORE = text(_TOLD + " AND r.push_id < :first ORDER BY r.push_id DESC LIMIT 1")
_TOLD_SINCE = text(
    _TOLD + " AND r.push_id >= :first AND p.sent_at <= :until ORDER BY r.push_id LIMIT :most"
)
_READ = """
SELECT read_at AS at, quantity, expected_low, expected_high, agrees, closed
FROM reading WHERE listing_id = :listing
"""
_READ_BEFORE = text(_READ + " AND read_at < :since ORDER BY read_at DESC LIMIT 1")
_READ_SINCE = text(
    _READ + " AND read_at >= :since AND read_at <= :until ORDER BY read_at, id LIMIT :most"
)
_NEVER = 2**62


async def told(
    session: AsyncSession, listing_ids: Sequence[int], *, since: datetime, until: datetime
) -> list[ListingTold]:
    """The moments of these listings (at most 50) from `since` to `until`, at most 60 of each."""
    ids = list(listing_ids)[:LISTINGS_MAX]
    firsts = {
        row.channel: row.first
        for row in await session.execute(_FIRST, {"ids": ids, "since": since})
    }
    rows = await session.execute(_LISTINGS, {"ids": ids})
    return [
        await _listing(session, row, firsts[row["channel"]] or _NEVER, since, until)
        for row in rows.mappings().all()
    ]


async def _listing(
    session: AsyncSession, row: RowMapping, first: int, since: datetime, until: datetime
) -> ListingTold:
    values = {"listing": row["listing"], "first": first, "since": since, "until": until}
    values |= {"most": MOMENTS_MAX + 1}
    before = [
        *[_told(each) for each in await _rows(session, _TOLD_BEFORE, values)],
        *[_read(each) for each in await _rows(session, _READ_BEFORE, values)],
    ]
    inside = [
        *[_told(each) for each in await _rows(session, _TOLD_SINCE, values)],
        *[_read(each) for each in await _rows(session, _READ_SINCE, values)],
    ]
    inside.sort(key=lambda each: each.at)
    before.sort(key=lambda each: each.at)
    return ListingTold(
        **row,
        moments=(*before, *inside[:MOMENTS_MAX]),
        moments_left_out=max(len(inside) - MOMENTS_MAX, 0),
    )


async def _rows(
    session: AsyncSession, query: object, values: dict[str, object]
) -> list[RowMapping]:
    wanted = {name: values[name] for name in values if f":{name}" in str(query)}
    found = await session.execute(query, wanted)  # type: ignore[call-overload]  # a text clause
    return list(found.mappings())


def _told(row: RowMapping) -> Moment:
    return Moment(what="told", **row)


def _read(row: RowMapping) -> Moment:
    return Moment(what="read", **row)
