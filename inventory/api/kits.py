"""Kits: what a SKU is made of."""

from __future__ import annotations

from litestar import Controller, get, put
from litestar.params import JSONBody

from inventory import catalogue, kits
from inventory.api.context import Caller, Services, needs
from inventory.api.paging import PathText
from inventory.api.problems import problems
from inventory.kits import KitShown, Parts
from inventory.security import Scope


class KitController(Controller):
    """The parts of kits (セット商品)."""

    path = "/skus/{sku:str}/parts"
    tags = ("SKUs",)

    @get(guards=[needs(Scope.STOCK_READ)], responses=problems(404))
    async def get_parts(self, sku: PathText, services: Services) -> KitShown:
        """What is in one unit today, and how many units or whole kits are available."""
        async with services.database.sessions() as session:
            return await kits.shown(session, await catalogue.sku_by_code(session, sku))

    @put(guards=[needs(Scope.STOCK_WRITE)], responses=problems(404, 409, 429))
    async def put_parts(
        self, sku: PathText, data: JSONBody[Parts], services: Services, caller: Caller
    ) -> KitShown:
        """Make the SKU a kit of these parts, or with no parts no kit any more.

        Sales and reservations keep the parts that they took. Kits may hold kits, five deep and
        10,000 units in all. A SKU with stock or movements of its own cannot become a kit.
        """
        async with services.database.transaction() as session:
            kit = await kits.put_parts(
                session, sku, data.parts, by=caller.name, now=services.clock.now()
            )
            row = await kits.shown(session, kit)
        services.bell.ring("refresh")
        return row
