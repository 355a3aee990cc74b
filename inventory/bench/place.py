"""The shop that is measured: one own store, its SKUs and their stock, in a database of its own."""

from __future__ import annotations

import asyncpg
from msgspec import Struct

from inventory import schema
from inventory.clock import Clock
from inventory.db import Database
from inventory.embedded import create_database
from inventory.facts import FACTS_MAX, QUANTITY_MAX, StockReceived
from inventory.ledger import Ledger
from inventory.models import Channel, Listing, Sku

TEMPLATE = "bench_template"
SHOP = "bench"
SKUS = 10_000
# SKUs that a run may sell more than a million units of, and that the shop lists.
BUSY_SKUS = 50
BUSY_DELIVERIES = 5
# One more SKU, the last, with little stock, to see that it is not oversold.
FEW_UNITS = 100


class Place(Struct, frozen=True, kw_only=True):
    """One database with the shop in it. SKUs are numbered from 0; the last has few units."""

    url: str
    channel_id: int
    location_id: int
    sku_ids: tuple[int, ...]
    codes: tuple[str, ...]

    @property
    def few(self) -> int:
        """The number of the SKU that has `FEW_UNITS` units only."""
        return len(self.codes) - 1

    def __repr__(self) -> str:
        """Without the address, which holds the password."""
        return f"Place({len(self.sku_ids)} SKUs)"


def code_of(number: int) -> str:
    """The code of a SKU, which is also the store's name of its listing."""
    return f"SKU-{number:05d}"


async def open_shop(server_url: str, *, skus: int = SKUS) -> None:
    """Make the template: the newest schema, the shop, its SKUs, and their stock as facts."""
    url = await create_database(server_url, TEMPLATE)
    await schema.migrate(url)
    await stock_up(url, skus=skus)
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


async def stock_up(url: str, *, skus: int = SKUS) -> None:
    """Put the shop and its stock into a database that is empty but for the schema."""
    clock = Clock()
    database = Database(url)
    codes = [code_of(number) for number in range(skus + 1)]
    try:
        async with database.transaction() as session:
            shop = Channel(code=SHOP, kind="own_store")
            rows = [Sku(code=code) for code in codes]
            session.add_all([shop, *rows])
            await session.flush()
            session.add_all(
                Listing(channel_id=shop.id, channel_sku=row.code, sku_id=row.id)
                for row in rows[:BUSY_SKUS]
            )
        ledger = Ledger(database, clock)
        told = _deliveries(codes, clock)
        for first in range(0, len(told), FACTS_MAX):
            await ledger.apply(told[first : first + FACTS_MAX])
    finally:
        await database.aclose()


def _deliveries(codes: list[str], clock: Clock) -> list[StockReceived]:
    told = [(code, QUANTITY_MAX) for code in codes[:-1]]
    told += [(code, QUANTITY_MAX) for code in codes[:BUSY_SKUS]] * (BUSY_DELIVERIES - 1)
    told.append((codes[-1], FEW_UNITS))
    return [
        StockReceived(
            channel_id=0,
            fact_ref=f"opening-{number}",
            occurred_at=clock.now(),
            sku=code,
            quantity=units,
        )
        for number, (code, units) in enumerate(told)
    ]


async def fresh(server_url: str, name: str) -> Place:
    """A new database, a copy of the template."""
    return await look(await create_database(server_url, name, template=TEMPLATE))


async def look(url: str) -> Place:
    """The shop in a database where it was put."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("SELECT id, code FROM sku ORDER BY code")
        return Place(
            url=url,
            channel_id=await connection.fetchval("SELECT id FROM channel WHERE code = $1", SHOP),
            location_id=await connection.fetchval("SELECT id FROM location WHERE code = 'main'"),
            sku_ids=tuple(row["id"] for row in rows),
            codes=tuple(row["code"] for row in rows),
        )
    finally:
        await connection.close()
