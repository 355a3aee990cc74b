"""SKUs: the smallest things we count, their stock, and the history of their movements."""

from __future__ import annotations

from typing import Annotated

from litestar import Controller, get, patch, post
from litestar.params import Body, JSONBody
from litestar.status_codes import HTTP_201_CREATED

from inventory import catalogue, reports
from inventory.api.context import Caller, Services, needs
from inventory.api.paging import SMALL_ID_MAX, Cursor, Limit, Page, PathText, decoded, id_in, page
from inventory.api.problems import problems
from inventory.catalogue import NewSku, SkuChange
from inventory.fields import moment
from inventory.reports import MovementKey, MovementRow, SkuStock
from inventory.security import Scope

READ = needs(Scope.STOCK_READ)
WRITE = needs(Scope.STOCK_WRITE)


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
        self, sku: PathText, services: Services, limit: Limit = 100, cursor: Cursor = None
    ) -> MovementPage:
        """The ledger's entries of one SKU, newest first; their sum is the balance."""
        before = decoded(cursor, MovementKey, start=None)
        if before is not None:
            moment(before.recorded_at)
        async with services.database.sessions() as session:
            found = await catalogue.sku_by_code(session, sku)
            rows = await reports.movements(session, found.id, before=before, limit=limit + 1)
        found_page = page(rows, limit, lambda row: row[0])
        return Page(items=[row for _, row in found_page.items], next=found_page.next)
