"""Listings: which SKU is offered on a channel under which name, by which rules, at what number."""

from __future__ import annotations

from typing import Annotated

from litestar import Controller, get, patch, put
from litestar.params import Body, JSONBody, QueryParameter

from inventory import catalogue, connections
from inventory.api.context import Caller, Services, needs
from inventory.api.paging import SMALL_ID_MAX, Cursor, Limit, Page, PathText, SmallId, id_in, page
from inventory.api.problems import problems
from inventory.catalogue import ListingRows, ListingRules, Upserted
from inventory.errors import WrongState
from inventory.reports import channels
from inventory.reports.channels import ListingShown
from inventory.security import Scope
from inventory.vocabulary import Kind

StaleOnly = Annotated[
    bool, QueryParameter(name="stale", description="Only those that show an old number.")
]


ListingPage = Annotated[Page[ListingShown], Body(schema_component_key="ListingPage")]


class ListingController(Controller):
    """What a channel offers, and the numbers it shows."""

    path = "/channels/{channel:str}/listings"
    tags = ("Listings",)

    @get(guards=[needs(Scope.STOCK_READ)], responses=problems(404))
    async def list_listings(
        self,
        channel: PathText,
        services: Services,
        limit: Limit = 100,
        cursor: Cursor = None,
        stale: StaleOnly = False,  # noqa: FBT002 -- a query parameter, given by its name
    ) -> ListingPage:
        """Listings with the numbers wanted, published and known at the channel, and why."""
        after_id = id_in(cursor, most=SMALL_ID_MAX)
        async with services.database.sessions() as session:
            found = await connections.channel_by_code(session, channel)
            rows = await channels.listings(
                session, found.id, after_id=after_id, limit=limit + 1, stale_only=stale
            )
        return page(rows, limit, lambda row: row.id)

    @put(guards=[needs(Scope.CHANNELS_WRITE)], responses=problems(404, 409))
    async def put_listings(
        self, channel: PathText, data: JSONBody[ListingRows], services: Services, caller: Caller
    ) -> Upserted:
        """Add or replace up to 1,000 listings, all or none; those not named stay as they are."""
        async with services.database.transaction() as session:
            found = await connections.channel_by_code(session, channel)
            if found.kind == Kind.HOUSE:
                raise WrongState("the house itself lists nothing")
            done = await catalogue.put_listings(
                session, found.id, data.listings, by=caller.name, now=services.clock.now()
            )
        services.bell.ring("refresh")
        return done

    @get("/{listing_id:int}", guards=[needs(Scope.STOCK_READ)], responses=problems(404))
    async def get_listing(
        self, channel: PathText, listing_id: SmallId, services: Services
    ) -> ListingShown:
        """One listing."""
        async with services.database.sessions() as session:
            found = await connections.channel_by_code(session, channel)
            return await channels.listing(session, found.id, listing_id)

    @patch("/{listing_id:int}", guards=[needs(Scope.CHANNELS_WRITE)], responses=problems(404))
    async def change_listing(
        self,
        channel: PathText,
        listing_id: SmallId,
        data: JSONBody[ListingRules],
        services: Services,
        caller: Caller,
    ) -> ListingShown:
        """Change a listing's rules; what is left out stays, null takes the channel's rule."""
        async with services.database.transaction() as session:
            found = await connections.channel_by_code(session, channel)
            await catalogue.change_listing(
                session, found.id, listing_id, data, by=caller.name, now=services.clock.now()
            )
            row = await channels.listing(session, found.id, listing_id)
        services.bell.ring("refresh")
        return row
