"""Lists of the warehouse's own work: expected supply, transfers under way, counts."""

from __future__ import annotations

from typing import Annotated

from litestar import Controller, get
from litestar.params import Body, QueryParameter

from inventory.api.context import Services, needs
from inventory.api.paging import ID_MAX, Cursor, Limit, Page, decoded, id_in, page
from inventory.api.problems import problems
from inventory.clock import JST
from inventory.reports import warehouse
from inventory.reports.warehouse import (
    CountRow,
    CountState,
    SupplyKey,
    SupplyRow,
    SupplyState,
    TransferKey,
    TransferRow,
    TransferState,
)
from inventory.security import Scope

READ = needs(Scope.STOCK_READ)

SupplyPage = Annotated[Page[SupplyRow], Body(schema_component_key="SupplyPage")]
TransferPage = Annotated[Page[TransferRow], Body(schema_component_key="TransferPage")]
CountPage = Annotated[Page[CountRow], Body(schema_component_key="CountPage")]


class WarehouseController(Controller):
    """What is expected, under way, and counted."""

    tags = ("Stock",)

    @get("/supplies", guards=[READ], responses=problems())
    async def list_supplies(
        self,
        services: Services,
        limit: Limit = 100,
        cursor: Cursor = None,
        in_state: Annotated[
            SupplyState | None,
            QueryParameter(name="state", required=False, description="Only supply in this state."),
        ] = None,
    ) -> SupplyPage:
        """Expected supply, soonest first: how much is here, how much is to come, what is late.

        `open`: not all is here. `late`: open, and due before today in Tokyo. `done`: all is here,
        or nothing more will come.
        """
        after = decoded(cursor, SupplyKey, start=None)
        today = services.clock.now().astimezone(JST).date()
        async with services.database.sessions() as session:
            rows = await warehouse.supplies(
                session, today=today, state=in_state, after=after, limit=limit + 1
            )
        found = page(rows, limit, lambda row: row[0])
        return Page(items=[row for _, row in found.items], next=found.next)

    @get("/transfers", guards=[READ], responses=problems())
    async def list_transfers(
        self,
        services: Services,
        limit: Limit = 100,
        cursor: Cursor = None,
        in_state: Annotated[
            TransferState | None,
            QueryParameter(
                name="state", required=False, description="Only transfers in this state."
            ),
        ] = None,
    ) -> TransferPage:
        """Transfers in two steps: those under way first, then those that have ended; newest first.

        `under_way`: units of it have neither arrived nor been found missing. One that ends while
        the list is read may be met in both parts.
        """
        after = decoded(cursor, TransferKey, start=None)
        async with services.database.sessions() as session:
            rows = await warehouse.transfers(session, state=in_state, after=after, limit=limit + 1)
        found = page(rows, limit, lambda row: row[0])
        return Page(items=[row for _, row in found.items], next=found.next)

    @get("/counts", guards=[READ], responses=problems())
    async def list_counts(
        self,
        services: Services,
        limit: Limit = 100,
        cursor: Cursor = None,
        in_state: Annotated[
            CountState | None,
            QueryParameter(name="state", required=False, description="Only counts in this state."),
        ] = None,
    ) -> CountPage:
        """Counts, newest first. `recount`: far from the book, to be counted once more.

        By how much is not shown then: whoever counts again must not know the book's number.
        """
        before_id = id_in(cursor, start=ID_MAX)
        async with services.database.sessions() as session:
            rows = await warehouse.counts(
                session, state=in_state, before_id=before_id, limit=limit + 1
            )
        return page(rows, limit, lambda row: row.id)
