"""Locations: the places where stock lies, and whether what lies there may be sold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct, structs
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import audit
from inventory.booking.page import DAMAGED, IN_TRANSIT
from inventory.catalogue import mark_stale
from inventory.errors import AlreadyExists, BadInput, UnknownLocation, WrongState
from inventory.fields import Code
from inventory.models import Channel, Location, Oversell, Sku, StockLevel
from inventory.standstill import standstill

NEVER_SELLABLE = frozenset({DAMAGED, IN_TRANSIT})
NAMED_MAX = 5


class NewLocation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place where stock lies. What lies at one that is not sellable is never offered."""

    code: Code
    sellable: bool = True


class LocationChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether what lies at a location may be sold."""

    sellable: bool


async def create_location(
    session: AsyncSession, new: NewLocation, *, by: str, now: datetime
) -> Location:
    """Add a location. Raises `AlreadyExists`."""
    location_id = await session.scalar(
        insert(Location)
        .values(**structs.asdict(new))
        .on_conflict_do_nothing()
        .returning(Location.id)
    )
    if location_id is None:
        raise AlreadyExists(f"the location {new.code!r} is there already")
    audit.note(session, by=by, action="location.created", detail=structs.asdict(new), now=now)
    return await session.get_one(Location, location_id)


async def change_location(
    session: AsyncSession, code: str, change: LocationChange, *, by: str, now: datetime
) -> Location:
    """Open a location for sale, or take it out; its SKUs are worked out anew.

    Raises `UnknownLocation`; `WrongState` for `damaged` and `in-transit`, for the last sellable
    location, for one that a channel names or where units are reserved; `TooBusy` when the ledger
    did not come to a standstill.
    """
    if not change.sellable:
        await standstill(session)
    # All of them, so that two changes at once cannot leave none.
    rows = await session.scalars(
        select(Location).order_by(Location.id).with_for_update(key_share=True)
    )
    locations = {location.code: location for location in rows}
    if code not in locations:
        raise UnknownLocation(f"no location {code!r}")
    location = locations[code]
    if location.sellable == change.sellable:
        return location
    if code in NEVER_SELLABLE:
        raise WrongState(f"{code} is never sellable")
    if not change.sellable:
        if sum(each.sellable for each in locations.values()) == 1:
            raise WrongState(f"{code} is the last sellable location")
        await _refuse_if_used(session, location)
    location.sellable = change.sellable
    detail = {"location": code, "sellable": change.sellable}
    audit.note(session, by=by, action="location.changed", detail=detail, now=now)
    await session.flush()
    stocked = select(StockLevel.sku_id).where(StockLevel.location_id == location.id)
    concerned = [*await session.scalars(stocked), *await maybe_short(session)]
    await mark_stale(session, concerned, now)
    return location


async def _refuse_if_used(session: AsyncSession, location: Location) -> None:
    feeds = await session.scalars(
        select(Channel.code)
        .where(Channel.location_ids.contains([location.id]))
        .order_by(Channel.id)
        .limit(NAMED_MAX)
    )
    named = list(feeds)
    if named:
        raise WrongState(f"{location.code} feeds {', '.join(named)}: change their locations first")
    reserved = await session.scalars(
        select(Sku.code)
        .join(StockLevel, StockLevel.sku_id == Sku.id)
        .where(StockLevel.location_id == location.id, StockLevel.reserved != 0)
        .order_by(Sku.id)
        .limit(NAMED_MAX)
    )
    held = list(reserved)
    if held:
        units = f"units of {', '.join(held)} are reserved at {location.code}"
        raise WrongState(f"{units}: ship or release them first")


async def maybe_short(session: AsyncSession) -> list[int]:
    """SKUs that may be short, or no longer short, once pools have changed; to be marked stale.

    Without a location that has promised more than lies there, no pool has.
    """
    short = select(StockLevel.sku_id).where(StockLevel.reserved > StockLevel.on_hand)
    cases = select(Oversell.sku_id).where(Oversell.state == "open", Oversell.shortage > 0)
    return list(await session.scalars(short.union(cases)))


async def location_ids(session: AsyncSession, codes: Sequence[str]) -> list[int]:
    """The ids of locations that shall feed a channel, in the same order.

    Raises `UnknownLocation`, `BadInput` for twins, `WrongState` for one that is not sellable.
    """
    if len(set(codes)) < len(codes):
        raise BadInput("each location may be named once")
    # Nobody takes one of them out of sale before the channel is written.
    rows = await session.scalars(
        select(Location)
        .where(Location.code.in_(codes))
        .order_by(Location.id)
        .with_for_update(read=True)
    )
    found = {location.code: location for location in rows}
    missing = [code for code in codes if code not in found]
    if missing:
        raise UnknownLocation("no location " + ", ".join(missing))
    closed = [code for code in codes if not found[code].sellable]
    if closed:
        raise WrongState(f"not sellable: {', '.join(closed)}")
    return [found[code].id for code in codes]
