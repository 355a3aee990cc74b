"""Matching a channel's discovered listings with our SKUs: the preview, and putting it to use."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, structs
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import catalogue
from inventory.catalogue import LISTINGS_MAX, ListingRow, Upserted
from inventory.errors import BadInput, WrongState
from inventory.matching import Match, MatchRow, Offered, match
from inventory.models import Listing, SeenListing, Sku
from inventory.onboarding import handle_anew


class Applied(Struct, frozen=True, kw_only=True):
    """What became of a matching: listings made or changed, and events handled once more for it."""

    created: int
    changed: int
    events: int


async def preview(session: AsyncSession, channel_id: int) -> list[MatchRow]:
    """Every discovered listing with what it is. Raises `WrongState` before the first discovery."""
    seen = await session.execute(
        select(
            SeenListing.channel_sku,
            SeenListing.codes,
            SeenListing.title,
            SeenListing.quantity,
            SeenListing.fulfilled_by_channel,
        )
        .where(SeenListing.channel_id == channel_id)
        .order_by(SeenListing.channel_sku)
    )
    offered = [
        Offered(
            channel_sku=row.channel_sku,
            codes=tuple(row.codes),
            title=row.title,
            quantity=row.quantity,
            fulfilled_by_channel=row.fulfilled_by_channel,
        )
        for row in seen
    ]
    if not offered:
        raise WrongState("no listing of this channel was discovered yet: hikiate channel discover")
    mapped = await session.execute(
        select(Listing.channel_sku, Sku.code)
        .join(Sku, Sku.id == Listing.sku_id)
        .where(Listing.channel_id == channel_id)
    )
    return match(offered, await session.scalars(select(Sku.code)), dict(mapped.all()))


async def apply(
    session: AsyncSession,
    channel_id: int,
    *,
    duplicates: bool,
    picks: Mapping[str, str],
    by: str,
    now: datetime,
) -> Applied:
    """List what matches, and what a person picked (channel SKU → SKU); the rest stays as it is.

    `duplicates`: also where several listings are one SKU. Rules of listings that are there stay.
    Raises `BadInput` for a pick of a listing that was not discovered, `UnknownSku`.
    """
    rows = {row.channel_sku: row for row in await preview(session, channel_id)}
    unknown = sorted(picks.keys() - rows.keys())
    if unknown:
        raise BadInput(f"{unknown[0]} is no listing that was discovered")
    wanted = {Match.MATCHED, Match.DUPLICATE} if duplicates else {Match.MATCHED}
    chosen = {each.channel_sku: each.sku for each in rows.values() if each.state in wanted}
    put = [
        ListingRow(
            channel_sku=channel_sku,
            sku=sku,
            fulfilled_by_channel=rows[channel_sku].fulfilled_by_channel,
        )
        for channel_sku, sku in (chosen | dict(picks)).items()
        if sku is not None
    ]
    created = changed = 0
    for start in range(0, len(put), LISTINGS_MAX):
        part = await _with_rules(session, channel_id, put[start : start + LISTINGS_MAX])
        done: Upserted = await catalogue.put_listings(session, channel_id, part, by=by, now=now)
        created, changed = created + done.created, changed + done.changed
    events = await handle_anew(session, channel_id) if created or changed else 0
    return Applied(created=created, changed=changed, events=events)


async def _with_rules(
    session: AsyncSession, channel_id: int, rows: list[ListingRow]
) -> list[ListingRow]:
    """The rows with the rules of the listings that are there already: only their SKU is new."""
    there = await session.scalars(
        select(Listing).where(
            Listing.channel_id == channel_id,
            Listing.channel_sku.in_([row.channel_sku for row in rows]),
        )
    )
    rules = set(ListingRow.__struct_fields__) - {"channel_sku", "sku", "fulfilled_by_channel"}
    held = {each.channel_sku: {name: getattr(each, name) for name in rules} for each in there}
    return [structs.replace(row, **held.get(row.channel_sku, {})) for row in rows]
