"""Locations: the places where stock lies."""

from __future__ import annotations

from typing import Annotated

from litestar import Controller, get, patch, post
from litestar.params import Body, JSONBody
from litestar.status_codes import HTTP_201_CREATED
from msgspec import Struct
from sqlalchemy import select

from inventory import locations
from inventory.api.context import Caller, Services, needs
from inventory.api.paging import SMALL_ID_MAX, Cursor, Limit, Page, PathText, id_in, page
from inventory.api.problems import problems
from inventory.locations import LocationChange, NewLocation
from inventory.models import Location
from inventory.security import Scope


class LocationRow(Struct, frozen=True, kw_only=True):
    """A place where stock lies. What lies at one that is not sellable is never offered.

    `damaged` and `in-transit` are there from the start and never sellable.
    """

    id: int
    code: str
    sellable: bool


def _row(location: Location) -> LocationRow:
    return LocationRow(id=location.id, code=location.code, sellable=location.sellable)


LocationPage = Annotated[Page[LocationRow], Body(schema_component_key="LocationPage")]


class LocationController(Controller):
    """Where stock lies."""

    path = "/locations"
    tags = ("SKUs",)

    @get(guards=[needs(Scope.STOCK_READ)], responses=problems())
    async def list_locations(
        self, services: Services, limit: Limit = 100, cursor: Cursor = None
    ) -> LocationPage:
        """Locations in order of creation; sales take stock in this order by default."""
        query = select(Location).where(Location.id > id_in(cursor, most=SMALL_ID_MAX))
        async with services.database.sessions() as session:
            rows = await session.scalars(query.order_by(Location.id).limit(limit + 1))
            return page([_row(location) for location in rows], limit, lambda row: row.id)

    @post(guards=[needs(Scope.STOCK_WRITE)], status_code=HTTP_201_CREATED, responses=problems(409))
    async def create_location(
        self, data: JSONBody[NewLocation], services: Services, caller: Caller
    ) -> LocationRow:
        """Add a location."""
        async with services.database.transaction() as session:
            return _row(
                await locations.create_location(
                    session, data, by=caller.name, now=services.clock.now()
                )
            )

    @patch("/{code:str}", guards=[needs(Scope.STOCK_WRITE)], responses=problems(404, 409, 429))
    async def change_location(
        self,
        code: PathText,
        data: JSONBody[LocationChange],
        services: Services,
        caller: Caller,
    ) -> LocationRow:
        """Open a location for sale or take it out; all numbers follow.

        Refused for `damaged` and `in-transit`, for the last sellable location, and to take out one
        that feeds a channel by name or where units are reserved.
        """
        async with services.database.transaction() as session:
            changed = await locations.change_location(
                session, code, data, by=caller.name, now=services.clock.now()
            )
            row = _row(changed)
        services.bell.ring("refresh")
        return row
