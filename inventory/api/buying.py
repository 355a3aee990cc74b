"""The buyers' team: teams that are told, suppliers, and how each SKU is bought."""

from __future__ import annotations

from typing import Annotated

from litestar import Controller, delete, get, put
from litestar.params import Body, JSONBody
from litestar.status_codes import HTTP_200_OK, HTTP_204_NO_CONTENT
from msgspec import ValidationError as Invalid
from msgspec import convert

from inventory import catalogue
from inventory.alerting import content, suppliers, teams
from inventory.alerting.content import BuyerAdvice
from inventory.alerting.suppliers import BuyingRow, BuyingRows, SupplierRow, SupplierTerms
from inventory.alerting.teams import TeamRow, TeamTerms
from inventory.api.context import Caller, Services, needs
from inventory.api.paging import Cursor, Limit, Page, PathText, decoded, page
from inventory.api.problems import problems
from inventory.errors import BadInput
from inventory.fields import Code, plain
from inventory.security import Scope

READ = needs(Scope.STOCK_READ)
WRITE = needs(Scope.ALERTS_WRITE)

TeamPage = Annotated[Page[TeamRow], Body(schema_component_key="TeamPage")]
SupplierPage = Annotated[Page[SupplierRow], Body(schema_component_key="SupplierPage")]


def _code(text: str) -> str:
    """A code in an address, by the same rule as in a body. Raises `BadInput`."""
    try:
        return convert(text, Code)
    except Invalid as error:
        raise BadInput(f"the code in the address: {plain(str(error))}") from None


class TeamController(Controller):
    """Who is told of alerts."""

    path = "/teams"
    tags = ("Alerts",)

    @get(guards=[READ], responses=problems())
    async def list_teams(self, services: Services) -> TeamPage:
        """Every team, by code; there are a hundred at most."""
        async with services.database.sessions() as session:
            return Page(items=list(await teams.teams(session)), next=None)

    @put("/{team:str}", guards=[WRITE], status_code=HTTP_200_OK, responses=problems(404))
    async def put_team(
        self, team: PathText, data: JSONBody[TeamTerms], services: Services, caller: Caller
    ) -> TeamRow:
        """Add a team, or change how it hears of alerts."""
        now = services.clock.now()
        async with services.database.transaction() as session:
            return await teams.put_team(session, _code(team), data, by=caller.name, now=now)

    @delete(
        "/{team:str}",
        guards=[WRITE],
        status_code=HTTP_204_NO_CONTENT,
        responses=problems(404, 409),
    )
    async def delete_team(self, team: PathText, services: Services, caller: Caller) -> None:
        """Remove a team that no team, endpoint, rule or open alert names."""
        now = services.clock.now()
        async with services.database.transaction() as session:
            await teams.remove_team(session, _code(team), by=caller.name, now=now)


class SupplierController(Controller):
    """From whom SKUs are bought."""

    path = "/suppliers"
    tags = ("Alerts",)

    @get(guards=[READ], responses=problems())
    async def list_suppliers(
        self, services: Services, limit: Limit = 100, cursor: Cursor = None
    ) -> SupplierPage:
        """Suppliers by code, with lead time and cover."""
        after = decoded(cursor, str, start="")
        async with services.database.sessions() as session:
            rows = await suppliers.suppliers(session, after=after, limit=limit + 1)
        return page(list(rows), limit, lambda row: row.code)

    @put("/{supplier:str}", guards=[WRITE], status_code=HTTP_200_OK, responses=problems())
    async def put_supplier(
        self, supplier: PathText, data: JSONBody[SupplierTerms], services: Services, caller: Caller
    ) -> SupplierRow:
        """Add a supplier, or change its terms; its SKUs are judged anew."""
        now = services.clock.now()
        async with services.database.transaction() as session:
            row = await suppliers.put_supplier(
                session, _code(supplier), data, by=caller.name, now=now
            )
        services.bell.ring("refresh")
        return row

    @delete(
        "/{supplier:str}",
        guards=[WRITE],
        status_code=HTTP_204_NO_CONTENT,
        responses=problems(404, 409),
    )
    async def delete_supplier(self, supplier: PathText, services: Services, caller: Caller) -> None:
        """Remove a supplier that no rule names and from whom no SKU is bought."""
        now = services.clock.now()
        async with services.database.transaction() as session:
            await suppliers.remove_supplier(session, _code(supplier), by=caller.name, now=now)


class BuyingController(Controller):
    """How SKUs are bought, and what to order."""

    tags = ("Alerts",)

    @put(
        "/buying-terms",
        guards=[WRITE],
        status_code=HTTP_204_NO_CONTENT,
        responses=problems(404),
    )
    async def put_buying_terms(
        self, data: JSONBody[BuyingRows], services: Services, caller: Caller
    ) -> None:
        """Say of up to 1,000 SKUs their category, supplier and pack size, each wholly."""
        now = services.clock.now()
        async with services.database.transaction() as session:
            await suppliers.put_terms(session, data.skus, by=caller.name, now=now)
        services.bell.ring("refresh")

    @get("/skus/{sku:str}/buying-terms", guards=[READ], responses=problems(404))
    async def get_buying_terms(self, sku: PathText, services: Services) -> BuyingRow:
        """How a SKU is bought."""
        async with services.database.sessions() as session:
            return await suppliers.terms_of(session, await catalogue.sku_by_code(session, sku))

    @get("/skus/{sku:str}/advice", guards=[READ], responses=problems(404))
    async def get_advice(self, sku: PathText, services: Services) -> BuyerAdvice:
        """What a buyer can act on now: stock, pace, cover, what comes, what to order by when."""
        now = services.clock.now()
        async with services.database.sessions() as session:
            found = await catalogue.sku_by_code(session, sku)
            return (await content.advice(session, [found.id], now))[found.id]
