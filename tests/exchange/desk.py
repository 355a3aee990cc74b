"""Imports as a person asks for them, and what stands in the books afterwards."""

from __future__ import annotations

from datetime import timedelta

from msgspec import structs
from sqlalchemy import select

from inventory.db import Database
from inventory.exchange.counting import Counting
from inventory.exchange.formats import HIKIATE, Format
from inventory.exchange.imported import Imported, Manner
from inventory.exchange.listings_in import import_listings
from inventory.exchange.reader import open_bytes
from inventory.exchange.stock_in import import_stock
from inventory.inbox import Inbox
from inventory.ledger import Ledger
from inventory.models import Channel, Listing, Sku, StockLevel
from tests.factories import NOON

MANNER = Manner(by="mori", now=NOON)
SKIP = structs.replace(MANNER, bad_rows="skip")
CREATE = structs.replace(MANNER, create=True)
COUNTED = NOON - timedelta(hours=3)
COUNTING = Counting(name="count of the year", counted_at=COUNTED)


class Desk:
    """Imports as a person asks for them, and what stands in the books afterwards."""

    def __init__(self, database: Database, ledger: Ledger, inbox: Inbox, shop: Channel) -> None:
        self.database, self.ledger, self.inbox, self.shop = database, ledger, inbox, shop
        self.told: list[tuple[str, int, int]] = []

    def tell(self, what: str, done: int, total: int) -> None:
        """Remember the progress."""
        self.told.append((what, done, total))

    async def listings(
        self, text: str, format_: Format = HIKIATE, manner: Manner = MANNER
    ) -> Imported:
        """Import listings."""
        table = open_bytes(text.encode(format_.encoding), format_, name="f")
        return await import_listings(self.database, self.shop.id, table, manner, self.tell)

    async def stock(
        self,
        text: str,
        format_: Format = HIKIATE,
        manner: Manner = MANNER,
        counting: Counting = COUNTING,
    ) -> Imported:
        """Import stock."""
        table = open_bytes(text.encode(format_.encoding), format_, name="f")
        return await import_stock(self.database, self.ledger, table, counting, manner, self.tell)

    async def listed(self) -> dict[str, str]:
        """Channel SKU → SKU."""
        async with self.database.sessions() as session:
            rows = await session.execute(
                select(Listing.channel_sku, Sku.code).join(Sku, Sku.id == Listing.sku_id)
            )
            return {row[0]: row[1] for row in rows}

    async def levels(self) -> dict[str, tuple[int, int]]:
        """SKU → on hand and reserved, all in all."""
        async with self.database.sessions() as session:
            rows = await session.execute(
                select(Sku.code, StockLevel.on_hand, StockLevel.reserved).join(
                    Sku, Sku.id == StockLevel.sku_id
                )
            )
            found: dict[str, tuple[int, int]] = {}
            for code, on_hand, reserved in rows:
                before = found.get(code, (0, 0))
                found[code] = (before[0] + on_hand, before[1] + reserved)
            return found
