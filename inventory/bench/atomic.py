"""The atomic way: one guarded statement per sale, on a pool of connections."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from inventory.bench.load import Sell
from inventory.bench.place import Place
from inventory.bench.scenarios import Basket

POOL = 32

ONE = """
WITH balance AS (
  UPDATE stock_level SET reserved = reserved + 1, revision = revision + 1
  WHERE sku_id = $1 AND location_id = $2 AND on_hand - reserved >= 1 RETURNING revision
), told AS (
  INSERT INTO fact (recorded_at, content_hash, channel_id, kind, fact_ref)
  SELECT now(), $3, $4, 'reserve', $5 FROM balance RETURNING id
)
INSERT INTO movement (fact_id, revision, recorded_at, occurred_at, sku_id, location_id,
  on_hand_delta, reserved_delta, line, kind)
SELECT id, revision, now(), now(), $1, $2, 0, 1, 0, 'reserve' FROM told, balance
RETURNING fact_id
"""
# All or nothing: the rows are locked in order of SKU, and written only if each has a unit left.
BASKET = """
WITH locked AS MATERIALIZED (
  SELECT sku_id FROM stock_level
  WHERE sku_id = ANY($1::int[]) AND location_id = $2 AND on_hand - reserved >= 1
  ORDER BY sku_id FOR UPDATE
), balance AS (
  UPDATE stock_level v SET reserved = reserved + 1, revision = revision + 1
  FROM locked WHERE v.sku_id = locked.sku_id AND v.location_id = $2
    AND (SELECT count(*) FROM locked) = cardinality($1::int[])
  RETURNING v.sku_id, v.revision
), told AS (
  INSERT INTO fact (recorded_at, content_hash, channel_id, kind, fact_ref)
  SELECT now(), $3, $4, 'reserve', $5 WHERE EXISTS (SELECT FROM balance) RETURNING id
)
INSERT INTO movement (fact_id, revision, recorded_at, occurred_at, sku_id, location_id,
  on_hand_delta, reserved_delta, line, kind)
SELECT id, revision, now(), now(), sku_id, $2, 0, 1, row_number() OVER (ORDER BY sku_id) - 1,
  'reserve' FROM told, balance
RETURNING fact_id
"""


@asynccontextmanager
async def atomic(place: Place) -> AsyncIterator[Sell]:
    """Sell by a guarded UPDATE that also inserts fact and movements."""

    async def sell(ref: str, basket: Basket) -> bool:
        skus = [place.sku_ids[number] for number in basket]
        shared = (place.location_id, hash(ref), place.channel_id, ref)
        if len(skus) == 1:
            return bool(await pool.fetch(ONE, skus[0], *shared))
        return bool(await pool.fetch(BASKET, skus, *shared))

    async with asyncpg.create_pool(place.url, min_size=POOL, max_size=POOL) as pool:
        yield sell
