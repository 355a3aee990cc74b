"""What the house sells and where it is offered: SKUs, listings and their rules.

Every change leaves an audit row, and a stale mark on each SKU whose numbers it may change.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType, structs
from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import audit
from inventory.errors import AlreadyExists, BadInput, NotFound, UnknownSku
from inventory.fields import Code, Count, Percent, Ref, Text
from inventory.models import Channel, Listing, Sku
from inventory.recipes import kits_among

LISTINGS_MAX = 1_000
NAMED_MAX = 10


class NewSku(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A SKU. Of `safety_stock` (units) and `safety_percent` (of available) the greater is held."""

    code: Code
    name: Text = ""
    safety_stock: Count = 0
    safety_percent: Percent = 0


class SkuChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shall be different about a SKU; what is left out stays."""

    name: Text | UnsetType = UNSET
    safety_stock: Count | UnsetType = UNSET
    safety_percent: Percent | UnsetType = UNSET


class ListingRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A listing with all its rules; a rule of null is taken from the channel.

    `preorder_units` is the pre-order pot: how far below zero the listing may sell while at least as
    many units of supply are expected; none for a kit. `closed` shows 0 whatever the stock.
    `fulfilled_by_channel`: the channel ships it from its own warehouse, and neither its orders nor
    its number are ours.
    """

    channel_sku: Ref
    sku: Code
    safety_stock: Count | None = None
    safety_percent: Percent | None = None
    quantity_max: Count | None = None
    quantity_floor: Count | None = None
    preorder_units: Count = 0
    closed: bool = False
    fulfilled_by_channel: bool = False


class ListingRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shall be different about a listing; what is left out stays, null means the channel's."""

    safety_stock: Count | UnsetType | None = UNSET
    safety_percent: Percent | UnsetType | None = UNSET
    quantity_max: Count | UnsetType | None = UNSET
    quantity_floor: Count | UnsetType | None = UNSET
    preorder_units: Count | UnsetType = UNSET
    closed: bool | UnsetType = UNSET


class ListingRows(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Up to 1,000 listings of one channel, each `channel_sku` once."""

    listings: Annotated[list[ListingRow], Meta(min_length=1, max_length=LISTINGS_MAX)]


class Upserted(Struct, frozen=True, kw_only=True):
    """How many listings were new, changed, and already so."""

    created: int
    changed: int
    unchanged: int


def given(change: Struct) -> dict[str, object]:
    """The fields that a change gives."""
    return {name: value for name, value in structs.asdict(change).items() if value is not UNSET}


async def mark_stale(session: AsyncSession, sku_ids: Collection[int], now: datetime) -> None:
    """Have the numbers of these SKUs worked out anew."""
    # In the ledger's order, so that no two transactions wait for each other.
    await session.execute(
        text(
            "INSERT INTO stale_sku (sku_id, marked_at) SELECT sku_id, :now"
            " FROM unnest(cast(:ids AS int[])) AS sku_id ORDER BY sku_id"
            " ON CONFLICT (sku_id) DO UPDATE SET mark = excluded.mark"
        ),
        {"now": now, "ids": sorted(set(sku_ids))},
    )


async def sku_by_code(session: AsyncSession, code: str, *, lock: bool = False) -> Sku:
    """The SKU. Raises `UnknownSku`."""
    query = select(Sku).where(Sku.code == code)
    sku = await session.scalar(query.with_for_update(key_share=True) if lock else query)
    if sku is None:
        raise UnknownSku(f"no SKU {code!r}")
    return sku


async def create_sku(session: AsyncSession, new: NewSku, *, by: str, now: datetime) -> Sku:
    """Add a SKU. Raises `AlreadyExists`."""
    sku_id = await session.scalar(
        insert(Sku)
        .values(created_at=now, **structs.asdict(new))
        .on_conflict_do_nothing()
        .returning(Sku.id)
    )
    if sku_id is None:
        raise AlreadyExists(f"the SKU {new.code!r} is there already")
    audit.note(session, by=by, action="sku.created", detail=structs.asdict(new), now=now)
    return await sku_by_code(session, new.code)


async def change_sku(
    session: AsyncSession, code: str, change: SkuChange, *, by: str, now: datetime
) -> Sku:
    """Change a SKU's name and safety stock. Raises `UnknownSku`."""
    sku = await sku_by_code(session, code, lock=True)
    for name, value in given(change).items():
        setattr(sku, name, value)
    audit.note(session, by=by, action="sku.changed", detail={"sku": code} | given(change), now=now)
    await mark_stale(session, [sku.id], now)
    return sku


async def put_listings(
    session: AsyncSession,
    channel_id: int,
    rows: Sequence[ListingRow],
    *,
    by: str,
    now: datetime,
) -> Upserted:
    """Add or replace up to 1,000 listings of a channel; nothing is done unless all can be.

    Raises `BadInput` when a channel SKU is given twice or a kit shall be sold ahead of supply,
    `UnknownSku` naming those not there.
    """
    if len(rows) > LISTINGS_MAX or len({row.channel_sku for row in rows}) < len(rows):
        raise BadInput(f"up to {LISTINGS_MAX} listings, and each channel_sku once")
    # Two of these at once on one channel go one after the other.
    locked = select(Channel.id).where(Channel.id == channel_id).with_for_update(key_share=True)
    await session.execute(locked)
    skus = await _sku_ids(session, {row.sku for row in rows})
    await _refuse_kits(session, {skus[row.sku] for row in rows if row.preorder_units})
    known = await _listings(session, channel_id, [row.channel_sku for row in rows])
    touched: set[int] = set()
    changed = 0
    for row in rows:
        listing = known.get(row.channel_sku)
        sku_ids = _put(session, channel_id, listing, row, skus[row.sku])
        touched |= sku_ids
        changed += bool(listing is not None and sku_ids)
    await session.flush()
    unchanged = len(known) - changed
    done = Upserted(created=len(rows) - len(known), changed=changed, unchanged=unchanged)
    if touched:
        detail = {"channel_id": channel_id} | structs.asdict(done)
        audit.note(session, by=by, action="listings.put", detail=detail, now=now)
        await mark_stale(session, touched, now)
    return done


def _put(
    session: AsyncSession, channel_id: int, listing: Listing | None, row: ListingRow, sku_id: int
) -> set[int]:
    """Make one listing so; the SKUs whose numbers it may change."""
    values = structs.asdict(row) | {"sku_id": sku_id}
    del values["sku"]
    if listing is None:
        session.add(Listing(channel_id=channel_id, **values))
        return {sku_id}
    if all(getattr(listing, name) == value for name, value in values.items()):
        return set()
    before = listing.sku_id
    for name, value in values.items():
        setattr(listing, name, value)
    return {before, sku_id}


async def _sku_ids(session: AsyncSession, codes: set[str]) -> dict[str, int]:
    rows = await session.execute(select(Sku.code, Sku.id).where(Sku.code.in_(codes)))
    found = dict(rows.all())
    missing = sorted(codes - set(found))
    if missing:
        more = f" and {len(missing) - NAMED_MAX} more" if len(missing) > NAMED_MAX else ""
        raise UnknownSku("no SKU " + ", ".join(missing[:NAMED_MAX]) + more)
    return found


async def _refuse_kits(session: AsyncSession, sku_ids: Collection[int]) -> None:
    """Only what is itself expected from a supplier can be sold ahead of it."""
    if sku_ids and await kits_among(session, sku_ids):
        raise BadInput("a kit cannot be sold ahead of supply: preorder_units must be 0")


async def _listings(
    session: AsyncSession, channel_id: int, channel_skus: Sequence[str]
) -> dict[str, Listing]:
    rows = await session.scalars(
        select(Listing)
        .where(Listing.channel_id == channel_id, Listing.channel_sku.in_(channel_skus))
        .order_by(Listing.id)
        .with_for_update(key_share=True)
    )
    return {listing.channel_sku: listing for listing in rows}


async def change_listing(
    session: AsyncSession,
    channel_id: int,
    listing_id: int,
    rules: ListingRules,
    *,
    by: str,
    now: datetime,
) -> None:
    """Change a listing's rules.

    Raises `NotFound` where the channel has no such listing, `BadInput` where a kit shall be sold
    ahead of supply.
    """
    values = given(rules)
    sku_id = await session.scalar(
        select(Listing.sku_id)
        .where(Listing.id == listing_id, Listing.channel_id == channel_id)
        .with_for_update(key_share=True)
    )
    if sku_id is None:
        raise NotFound(f"no listing {listing_id}")
    if values.get("preorder_units"):
        await _refuse_kits(session, [sku_id])
    if values:
        await session.execute(update(Listing).where(Listing.id == listing_id).values(values))
    audit.note(
        session, by=by, action="listing.changed", detail={"listing": listing_id} | values, now=now
    )
    await mark_stale(session, [sku_id], now)
