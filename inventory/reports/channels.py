"""Reads of the channels: their settings, their listings, what a store may show, the overview."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct, convert
from sqlalchemy import RowMapping, TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.clock import tokyo_midnight
from inventory.connections import all_frozen
from inventory.errors import UnknownListing
from inventory.explained import explained
from inventory.recipes import AHEAD, STOCK


class ChannelRow(Struct, frozen=True, kw_only=True):
    """One connected shop. Its credentials are never shown; `has_credentials` says if there are any.

    `watermark`: every order placed up to then is in our hands. `failing_since` is when pulls or
    pushes began to fail without a success since. `live_at` null: nothing is published to it until
    somebody lets it go live. `standing` is what it last said of its keys and dangers, at
    `standing_at`. Its orders are all known from `history_from` on; null: from `connected_at`.
    """

    id: int
    code: str
    kind: str
    base_url: str
    settings: dict[str, Any]
    has_credentials: bool
    frozen: bool
    locations: tuple[str, ...] | None
    safety_stock: int
    safety_percent: int
    quantity_max: int | None
    quantity_floor: int
    desk_policy: str
    desk_hours: int
    ship_days: int | None
    metrics: dict[str, Any]
    costs: dict[str, Any]
    watermark: datetime | None
    pulled_at: datetime | None
    failing_since: datetime | None
    failure: str | None
    connected_at: datetime
    live_at: datetime | None
    standing: dict[str, Any] | None
    standing_at: datetime | None
    history_from: datetime | None


class ListingShown(Struct, frozen=True, kw_only=True):
    """One listing: rules (null is the channel's), and the numbers wanted, published, known.

    `stale`: the channel shows an old number since `wanted_at`. `why` explains the wanted number.
    """

    id: int
    channel_sku: str
    sku: str
    safety_stock: int | None
    safety_percent: int | None
    quantity_max: int | None
    quantity_floor: int | None
    preorder_units: int
    closed: bool
    closed_by_channel: bool
    fulfilled_by_channel: bool
    quantity_wanted: int | None
    quantity_published: int | None
    quantity_known: int | None
    published_at: datetime | None
    known_at: datetime | None
    stale: bool
    wanted_at: datetime | None
    lane: str | None
    failure: str | None
    why: str


class Availability(Struct, frozen=True, kw_only=True):
    """How many units a store may show for one listing now, and why, in one sentence.

    `quantity_wanted` is the number last noted for publishing; it follows within seconds.
    """

    channel_sku: str
    sku: str
    quantity: int
    quantity_wanted: int | None
    frozen: bool
    why: str
    as_of: datetime


class ChannelStatus(Struct, frozen=True, kw_only=True):
    """How one channel is doing. Sales are orders and units placed since midnight in Tokyo.

    `live_at` null: nothing is published to it until somebody lets it go live.
    """

    channel: str
    kind: str
    frozen: bool
    live_at: datetime | None
    pulled_at: datetime | None
    watermark: datetime | None
    listings: int
    listings_stale: int
    oldest_stale_seconds: float | None
    orders_today: int
    units_today: int
    pushes_last_minute: int
    failing_since: datetime | None
    failure: str | None


class Status(Struct, frozen=True, kw_only=True):
    """How the house is doing."""

    as_of: datetime
    frozen: bool
    channels: tuple[ChannelStatus, ...]
    events_new: int
    events_parked: int
    events_in_conflict: int
    oversells_open: int
    cancellations_proposed: int
    alerts_open: int
    deliveries_pending: int
    deliveries_parked: int


_CHANNELS = """
SELECT c.id, c.code, c.kind, c.base_url, c.settings, c.credentials IS NOT NULL AS has_credentials,
  c.frozen, c.safety_stock, c.safety_percent, c.quantity_max, c.quantity_floor, c.desk_policy,
  c.desk_hours, c.ship_days, c.metrics, c.costs, c.watermark, c.pulled_at, c.failing_since,
  c.failure, c.connected_at, c.live_at, c.standing, c.standing_at, c.history_from,
  CASE WHEN c.location_ids IS NOT NULL THEN ARRAY(
    SELECT l.code FROM unnest(c.location_ids) WITH ORDINALITY AS o (id, n)
    JOIN location l ON l.id = o.id ORDER BY o.n) END AS locations
FROM channel c
"""


async def channels(session: AsyncSession, *, after_id: int, limit: int) -> list[ChannelRow]:
    """Channels by id, the house itself left out."""
    query = text(_CHANNELS + " WHERE c.id > :after AND c.kind <> 'house' ORDER BY c.id LIMIT :most")
    rows = await session.execute(query, {"after": after_id, "most": limit})
    return [convert(dict(row), ChannelRow) for row in rows.mappings()]


async def channel(session: AsyncSession, channel_id: int) -> ChannelRow:
    """One channel."""
    rows = await session.execute(text(_CHANNELS + " WHERE c.id = :id"), {"id": channel_id})
    return convert(dict(rows.mappings().one()), ChannelRow)


def _listings(which: str) -> TextClause:
    """Listings of the channel `:channel`, of which `which` says which and in what order."""
    return text(f"""
WITH RECURSIVE chosen (id, channel_id, sku_id) AS (
  SELECT l.id, l.channel_id, l.sku_id FROM listing l WHERE l.channel_id = :channel AND {which}
), {STOCK}
SELECT l.id, l.channel_sku, s.code AS sku, l.safety_stock, l.safety_percent, l.quantity_max,
  l.quantity_floor, l.preorder_units, l.closed, l.closed_by_channel, l.fulfilled_by_channel,
  l.quantity_wanted, l.quantity_published, l.quantity_known, l.published_at, l.known_at,
  l.revision_published < l.revision_wanted AS stale, l.wanted_at, l.lane, l.failure,
  greatest(s.safety_stock, coalesce(l.safety_stock, c.safety_stock)) AS rule_units,
  greatest(s.safety_percent, coalesce(l.safety_percent, c.safety_percent)) AS rule_percent,
  coalesce(l.quantity_max, c.quantity_max) AS rule_max,
  coalesce(l.quantity_floor, c.quantity_floor) AS rule_floor, {AHEAD} AS ahead,
  stock.available, stock.on_hand, stock.reserved, stock.early, stock.in_kit, stock.units,
  stock.free, stock.code AS part, c.frozen
FROM listing l JOIN channel c ON c.id = l.channel_id JOIN sku s ON s.id = l.sku_id
JOIN stock ON stock.listing_id = l.id ORDER BY l.id
""")  # noqa: S608 -- constants


async def listings(
    session: AsyncSession, channel_id: int, *, after_id: int, limit: int, stale_only: bool = False
) -> list[ListingShown]:
    """A channel's listings by id, or only those that show an old number."""
    stale = "l.revision_published < l.revision_wanted AND " if stale_only else ""
    query = _listings(stale + "l.id > :after ORDER BY l.id LIMIT :most")
    rows = await session.execute(query, {"channel": channel_id, "after": after_id, "most": limit})
    return [_listing(row) for row in rows.mappings()]


async def listing(session: AsyncSession, channel_id: int, listing_id: int) -> ListingShown:
    """One listing of a channel. Raises `UnknownListing`."""
    rows = await session.execute(_listings("l.id = :id"), {"channel": channel_id, "id": listing_id})
    row = rows.mappings().one_or_none()
    if row is None:
        raise UnknownListing(f"no listing {listing_id}")
    return _listing(row)


def _listing(row: RowMapping) -> ListingShown:
    return convert(dict(row) | {"why": explained(row)[1]}, ListingShown)


async def availability(
    session: AsyncSession, channel_id: int, channel_sku: str, now: datetime
) -> Availability:
    """What a store may show for one listing. Raises `UnknownListing`."""
    query = _listings("l.channel_sku = :sku")
    rows = await session.execute(query, {"channel": channel_id, "sku": channel_sku})
    row = rows.mappings().one_or_none()
    if row is None:
        raise UnknownListing(f"no listing of {channel_sku}")
    quantity, why = explained(row)
    return Availability(
        channel_sku=channel_sku,
        sku=row["sku"],
        quantity=quantity,
        quantity_wanted=row["quantity_wanted"],
        frozen=row["frozen"] or await all_frozen(session),
        why=why,
        as_of=now,
    )


_STATUS = text("""
SELECT c.code AS channel, c.kind, c.frozen, c.live_at, c.pulled_at, c.watermark,
  c.failing_since, c.failure,
  listed.listings, listed.listings_stale,
  extract(epoch FROM cast(:now AS timestamptz) - listed.oldest)::float8 AS oldest_stale_seconds,
  sold.orders_today, sold.units_today,
  (SELECT count(*) FROM push_row r JOIN push p ON p.id = r.push_id
    WHERE p.channel_id = c.id AND p.sent_at > :minute) AS pushes_last_minute
FROM channel c
CROSS JOIN LATERAL (
  SELECT count(*) AS listings,
    count(*) FILTER (WHERE l.revision_published < l.revision_wanted) AS listings_stale,
    min(l.wanted_at) FILTER (WHERE l.revision_published < l.revision_wanted) AS oldest
  FROM listing l WHERE l.channel_id = c.id
) listed
CROSS JOIN LATERAL (
  SELECT count(DISTINCT o.id) AS orders_today, coalesce(sum(i.ordered), 0) AS units_today
  FROM sales_order o JOIN order_line i ON i.order_id = o.id
  WHERE o.channel_id = c.id AND o.ordered_at >= :midnight
) sold
WHERE c.kind <> 'house' ORDER BY c.id
""")

_TOTALS = text("""
SELECT
  count(*) FILTER (WHERE state = 'new') AS events_new,
  count(*) FILTER (WHERE state = 'parked') AS events_parked,
  count(*) FILTER (WHERE state = 'conflict') AS events_in_conflict,
  (SELECT count(*) FROM oversell WHERE state = 'open') AS oversells_open,
  (SELECT count(*) FROM cancellation WHERE state = 'proposed') AS cancellations_proposed,
  (SELECT count(*) FROM alert WHERE state = 'open') AS alerts_open,
  (SELECT count(*) FROM delivery WHERE state = 'pending') AS deliveries_pending,
  (SELECT count(*) FROM delivery WHERE state = 'parked') AS deliveries_parked
FROM inbound_event WHERE state <> 'handled'
""")


async def status(session: AsyncSession, now: datetime) -> Status:
    """How every channel and the house are doing."""
    moments = {
        "now": now,
        "minute": now - timedelta(minutes=1),
        "midnight": tokyo_midnight(now),
    }
    rows = await session.execute(_STATUS, moments)
    channels_ = tuple(
        convert(dict(row) | {"units_today": int(row["units_today"])}, ChannelStatus)
        for row in rows.mappings()
    )
    totals = (await session.execute(_TOTALS)).mappings().one()
    return Status(as_of=now, frozen=await all_frozen(session), channels=channels_, **dict(totals))
