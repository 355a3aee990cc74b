"""SKUs: the smallest things we count, their stock, and the history of their movements."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from litestar import Controller, get, patch, post
from litestar.params import Body, JSONBody, QueryParameter
from litestar.status_codes import HTTP_201_CREATED

from inventory import catalogue, history
from inventory.api.context import Caller, Services, needs
from inventory.api.paging import SMALL_ID_MAX, Cursor, Limit, Page, PathText, encoded, id_in, page
from inventory.api.problems import problems
from inventory.catalogue import NewSku, SkuChange
from inventory.errors import BadInput
from inventory.fields import moment
from inventory.history import By, MovementRow, PastBalance, Place, Places, Wanted
from inventory.reports import stock as reports
from inventory.reports.stock import SkuStock
from inventory.security import Scope

CURSOR_CHARACTERS_MAX = 10_000
READ = needs(Scope.STOCK_READ)
WRITE = needs(Scope.STOCK_WRITE)

Since = Annotated[
    datetime | None,
    QueryParameter(name="since", required=False, description="Only those recorded from then on."),
]
Until = Annotated[
    datetime | None,
    QueryParameter(name="until", required=False, description="Only those recorded before."),
]
LocationFilter = Annotated[
    str | None,
    QueryParameter(name="location", required=False, description="Only those at this location."),
]
KindFilter = Annotated[
    Literal["receive", "adjust", "transfer", "return", "reserve", "release", "ship"] | None,
    QueryParameter(name="kind", required=False, description="Only movements of this kind."),
]
At = Annotated[
    datetime | None,
    QueryParameter(name="at", required=False, description="The moment; now, without it."),
]
ByTime = Annotated[
    By, QueryParameter(name="by", required=False, description="Which time of a movement counts.")
]
SkuPage = Annotated[Page[SkuStock], Body(schema_component_key="SkuPage")]
MovementPage = Annotated[Page[MovementRow], Body(schema_component_key="MovementPage")]


class SkuController(Controller):
    """What is sold, how many there are, and why."""

    path = "/skus"
    tags = ("SKUs",)

    @get(guards=[READ], responses=problems())
    async def list_skus(
        self, services: Services, limit: Limit = 100, cursor: Cursor = None
    ) -> SkuPage:
        """SKUs in order of creation, each with its stock now."""
        after_id = id_in(cursor, most=SMALL_ID_MAX)
        async with services.database.sessions() as session:
            rows = await reports.skus(session, after_id=after_id, limit=limit + 1)
        return page(rows, limit, lambda row: row.id)

    @post(guards=[WRITE], status_code=HTTP_201_CREATED, responses=problems(409))
    async def create_sku(
        self, data: JSONBody[NewSku], services: Services, caller: Caller
    ) -> SkuStock:
        """Add a SKU; its code can never be changed."""
        async with services.database.transaction() as session:
            sku = await catalogue.create_sku(
                session, data, by=caller.name, now=services.clock.now()
            )
            return await reports.sku(session, sku)

    @get("/{sku:str}", guards=[READ], responses=problems(404))
    async def get_sku(self, sku: PathText, services: Services) -> SkuStock:
        """One SKU with its stock now, location by location."""
        async with services.database.sessions() as session:
            return await reports.sku(session, await catalogue.sku_by_code(session, sku))

    @patch("/{sku:str}", guards=[WRITE], responses=problems(404))
    async def change_sku(
        self, sku: PathText, data: JSONBody[SkuChange], services: Services, caller: Caller
    ) -> SkuStock:
        """Change its name or safety stock; what is left out stays as it is."""
        async with services.database.transaction() as session:
            changed = await catalogue.change_sku(
                session, sku, data, by=caller.name, now=services.clock.now()
            )
            stock = await reports.sku(session, changed)
        services.bell.ring("refresh")
        return stock

    @get("/{sku:str}/movements", guards=[READ], responses=problems(404))
    async def list_movements(
        self,
        sku: PathText,
        services: Services,
        limit: Limit = 100,
        cursor: Cursor = None,
        location: LocationFilter = None,
        movement_kind: KindFilter = None,
        since: Since = None,
        until: Until = None,
    ) -> MovementPage:
        """The ledger's entries of one SKU, newest first, each with the balance after it.

        Their sum is the balance. Months that were detached are not in it.
        """
        wanted = Wanted(
            location=location,
            kind=movement_kind,
            since=since and moment(since),
            until=until and moment(until),
        )
        places = _places(cursor)
        async with services.database.sessions() as session:
            found = await catalogue.sku_by_code(session, sku)
            rows, ends = await history.movements(
                session, found.id, limit=limit, wanted=wanted, places=places
            )
        return Page(items=rows, next=encoded(ends) if ends else None)

    @get("/{sku:str}/balance", guards=[READ], responses=problems(404, 409))
    async def get_balance(
        self, sku: PathText, services: Services, at: At = None, by: ByTime = By.RECORDED_AT
    ) -> PastBalance:
        """Its stock at a moment, location by location: now, or `at`.

        `by` says which time of a movement counts: when it was recorded, or when it happened.
        """
        when = services.clock.now() if at is None else moment(at)
        async with services.database.sessions() as session:
            found = await catalogue.sku_by_code(session, sku)
            return await history.balance(session, sku, found.id, at=when, by=by)


def _places(cursor: str | None) -> list[Place] | None:
    """Where the page before ended: a place for each location, so this cursor may be long."""
    if cursor is None:
        return None
    try:
        padded = cursor[:CURSOR_CHARACTERS_MAX] + "=" * (-len(cursor) % 4)
        return msgspec.json.decode(base64.urlsafe_b64decode(padded), type=Places)
    except (binascii.Error, ValueError, msgspec.DecodeError):
        raise BadInput("this cursor is not one of ours") from None
