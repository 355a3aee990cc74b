"""Makes kits for tests, by the door that people use."""

from __future__ import annotations

from collections.abc import Mapping

from inventory.db import Database
from inventory.kits import Part, put_parts
from tests.factories import NOON


async def put_recipe(database: Database, code: str, parts: Mapping[str, int]) -> None:
    """Make a SKU a kit of these parts, SKU → units."""
    async with database.transaction() as session:
        told = [Part(sku=sku, quantity=units) for sku, units in parts.items()]
        await put_parts(session, code, told, by="tester", now=NOON)
