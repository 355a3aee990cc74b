"""A house for one example: names of its own in a shared database, three processes, and its books.

Every name begins with the example's number, so that many examples can follow one another in one
database without seeing each other.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

from inventory.ledger import Ledger
from tests.conftest import HandClock
from tests.factories import NOON
from tests.ledger.machine.books import BALANCED, BOOKS
from tests.ledger.machine.model import Model
from tests.ledger.machine.state import Catalogue
from tests.rivals import Staged

PROCESSES = 3
# Units of safety stock, percent.
SKUS = {"MUG": (0, 0), "TEE": (0, 0), "BOX": (1, 0), "CAP": (0, 20)}
KITS = {"SET": {"MUG": 1, "TEE": 2}, "BIG": {"SET": 1, "BOX": 1}}
LOCATIONS = {"main": True, "damaged": False, "in-transit": False, "annex": True, "fba": False}
# Without a pool, sales take from all sellable locations in their order.
POOLS: tuple[tuple[str, ...], ...] = ((), ("annex", "main"), ("main",), ("fba",))
POTS = {"MUG": 4, "TEE": 0, "SET": 0}
# Made in one statement; what lies in several tables is seen only once it has ended.
OPEN = """
WITH places AS (
  INSERT INTO location (code, sellable) SELECT * FROM unnest($1::text[], $2::bool[])
  ON CONFLICT DO NOTHING
), poured AS (
  UPDATE channel SET location_ids = NULL WHERE location_ids IS NOT NULL
), skus AS (
  INSERT INTO sku (code) SELECT * FROM unnest($3::text[]) RETURNING id, code
), shops AS (
  INSERT INTO channel (code, kind) SELECT code, 'own_store' FROM unnest($4::text[]) AS t (code)
  RETURNING id
), offers AS (
  INSERT INTO listing (channel_id, sku_id, channel_sku) SELECT shops.id, skus.id, t.channel_sku
  FROM shops, unnest($5::text[], $6::text[]) AS t (code, channel_sku) JOIN skus USING (code)
  RETURNING id, channel_id, channel_sku
)
SELECT json_build_object('channels', (SELECT json_agg(id) FROM shops),
  'listings', (SELECT json_agg(json_build_array(id, channel_id, channel_sku)) FROM offers))::text
"""
_examples = itertools.count(1)


class House:
    """One example's names, its catalogue and model, and the processes that tell the ledger."""

    def __init__(self, stages: list[Staged]) -> None:
        self.stages = stages
        self.clock = HandClock(NOON)
        self.ledgers = [Ledger(stage, self.clock) for stage in stages]
        self.number = next(_examples)
        self.channels: list[int] = []
        self.listing_ids: dict[tuple[int, str], int] = {}
        self.model = Model(Catalogue())

    def name(self, text: str) -> str:
        """A name of this example."""
        return f"{self.number}-{text}"

    async def open(self) -> None:
        """Make SKUs, kits, channels and listings; earlier examples' pools are gone."""
        pool = await self.stages[0].pool()
        catalogue = self.model.state.catalogue
        made = json.loads(
            await pool.fetchval(
                OPEN,
                list(LOCATIONS),
                list(LOCATIONS.values()),
                [self.name(code) for code in (*SKUS, *KITS)],
                [self.name(f"shop{number}") for number in range(len(POOLS))],
                [self.name(code) for code in POTS],
                [code.lower() for code in POTS],
            )
        )
        self.channels = sorted(made["channels"])
        catalogue.locations = dict(LOCATIONS)
        catalogue.skus = {self.name(code): (0, 0) for code in (*SKUS, *KITS)}
        for listing_id, channel_id, channel_sku in made["listings"]:
            self.listing_ids[channel_id, channel_sku] = listing_id
            catalogue.listings[channel_id, channel_sku] = self.name(channel_sku.upper())
        for code, (units, percent) in SKUS.items():
            if units or percent:
                await self.hold_back(code, units, percent)
        for code, parts in KITS.items():
            await self.change_recipe(code, parts)
        for channel_id, places in zip(self.channels, POOLS, strict=True):
            if places:
                await self.feed(channel_id, places)
            for code, units in POTS.items():
                if units:
                    await self.fill_pot(channel_id, code.lower(), units)

    async def feed(self, channel_id: int, places: tuple[str, ...]) -> None:
        """Set the locations that feed a channel."""
        pool = await self.stages[0].pool()
        await pool.execute(
            "UPDATE channel SET location_ids = (SELECT array_agg(l.id ORDER BY n)"
            " FROM unnest($2::text[]) WITH ORDINALITY AS t (c, n) JOIN location l ON l.code = t.c)"
            " WHERE id = $1",
            channel_id,
            list(places),
        )
        self.model.state.catalogue.pools.pop(channel_id, None)
        if places:
            self.model.state.catalogue.pools[channel_id] = places

    async def fill_pot(self, channel_id: int, channel_sku: str, units: int) -> None:
        """Set how far a listing is sold ahead of supply."""
        pool = await self.stages[0].pool()
        await pool.execute(
            "UPDATE listing SET preorder_units = $3 WHERE channel_id = $1 AND channel_sku = $2",
            channel_id,
            channel_sku,
            units,
        )
        self.model.state.catalogue.pots[channel_id, channel_sku] = units

    async def hold_back(self, code: str, units: int, percent: int) -> None:
        """Set a SKU's safety stock."""
        pool = await self.stages[0].pool()
        await pool.execute(
            "UPDATE sku SET safety_stock = $2, safety_percent = $3 WHERE code = $1",
            self.name(code),
            units,
            percent,
        )
        self.model.state.catalogue.skus[self.name(code)] = (units, percent)

    async def change_recipe(self, code: str, parts: dict[str, int]) -> None:
        """Make a kit of other parts from now on."""
        pool = await self.stages[0].pool()
        await pool.execute(
            "WITH gone AS (DELETE FROM kit_part WHERE kit_id = (SELECT id FROM sku WHERE code = $1)"
            " AND NOT part_id IN (SELECT id FROM sku WHERE code = ANY($2::text[])))"
            " INSERT INTO kit_part (kit_id, part_id, quantity) SELECT k.id, p.id, n"
            " FROM unnest($2::text[], $3::int[]) AS t (c, n) JOIN sku p ON p.code = t.c"
            " JOIN sku k ON k.code = $1"
            " ON CONFLICT (kit_id, part_id) DO UPDATE SET quantity = excluded.quantity",
            self.name(code),
            [self.name(part) for part in parts],
            list(parts.values()),
        )
        recipe = {self.name(part): units for part, units in parts.items()}
        self.model.state.catalogue.recipes[self.name(code)] = recipe

    async def books(self) -> dict[str, Any]:
        """What the database holds of this example, after proving that the books agree."""
        pool = await self.stages[0].pool()
        prefix = self.name("")
        wrong = await pool.fetchval(BALANCED, prefix)
        if wrong is not None:
            raise AssertionError(f"the books do not agree: {wrong}")
        books: dict[str, Any] = json.loads(await pool.fetchval(BOOKS, prefix, [0, *self.channels]))
        return books
