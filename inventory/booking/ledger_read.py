"""The ledger's reading under its locks; raw SQL on one asyncpg connection.

Locks are taken in one order: orders by channel and ref, holds by fact, transfers, supplies and
counts by name, then balances by SKU and location.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from inventory.booking import changes_read
from inventory.booking.arrays import literal, quoted
from inventory.booking.book import Book, Level
from inventory.booking.mentions import Mentions, mentions
from inventory.booking.page import Changes, ListingRead, LocationRead, Page, SkuRead
from inventory.booking.recall import Row
from inventory.facts import GRANTED, RECORDED, Fact, Outcome, StockCounted

if TYPE_CHECKING:
    from inventory.db import Connection

Known = dict[tuple[int, str], tuple[int, Outcome]]
WAITS_MAX = 5

# Sellable locations and channels' pools as one text, for comparing.
RULES = """(SELECT concat(
  (SELECT array_agg(id ORDER BY id) FROM location WHERE sellable),
  (SELECT string_agg(concat(id, location_ids), ';' ORDER BY id) FROM channel
    WHERE location_ids IS NOT NULL)))"""
# One statement locks the balances and reads all that a batch decides on, as one JSON document.
# What is beside the locks is seen as of the statement's start; where a lock had to be waited for,
# `waited` says so (the row is another version than the snapshot's), and the statement is run again
# under the lock.
READ = f"""
WITH RECURSIVE listed AS (
  SELECT l.channel_id, l.channel_sku, l.id, l.sku_id, l.preorder_units
  FROM unnest($3::int[], $4::text[]) AS told (c, s)
  JOIN listing l ON l.channel_id = told.c AND l.channel_sku = told.s
), named AS (
  SELECT id FROM sku WHERE code = ANY($1::text[])
  UNION SELECT unnest($2::int[]) UNION SELECT sku_id FROM listed
), taken AS (
  SELECT k.kit_id, k.part_id, k.quantity::bigint FROM kit_part k JOIN named n ON n.id = k.kit_id
  UNION ALL
  SELECT t.kit_id, k.part_id, t.quantity * k.quantity
  FROM taken t JOIN kit_part k ON k.kit_id = t.part_id
), recipe AS (
  SELECT kit_id, part_id, sum(quantity) AS quantity FROM taken t
  WHERE NOT EXISTS (SELECT FROM kit_part k WHERE k.kit_id = t.part_id) GROUP BY kit_id, part_id
), wanted AS MATERIALIZED (
  SELECT id FROM named UNION SELECT part_id FROM recipe
), locked AS MATERIALIZED (
  SELECT v.sku_id, v.location_id, v.on_hand, v.reserved, v.revision, v.counted_at,
    v.xmin AS version
  FROM stock_level v WHERE v.sku_id = ANY(ARRAY(SELECT id FROM wanted))
  ORDER BY v.sku_id, v.location_id FOR UPDATE
)
SELECT json_build_object(
  'levels', (SELECT json_agg(json_build_array(
    sku_id, location_id, on_hand, reserved, revision, counted_at)) FROM locked),
  'waited', EXISTS (
    SELECT FROM locked JOIN stock_level v USING (sku_id, location_id)
    WHERE v.xmin <> locked.version),
  'skus', (SELECT json_agg(json_build_array(
      s.id, s.code, s.safety_stock, s.safety_percent,
      coalesce((SELECT sum(i.expected - i.received) FROM inbound_supply i
        WHERE i.sku_id = s.id AND NOT i.ended AND i.received < i.expected), 0),
      coalesce((SELECT max(l.preorder_units) FROM listing l
        WHERE l.sku_id = s.id AND l.preorder_units > 0), 0),
      EXISTS (SELECT FROM oversell o WHERE o.sku_id = s.id AND o.state = 'open'),
      s.xmin::text::bigint,
      (SELECT json_agg(json_build_array(part_id, quantity) ORDER BY part_id)
        FROM recipe r WHERE r.kit_id = s.id)))
    FROM sku s WHERE s.id = ANY(ARRAY(SELECT id FROM wanted))),
  'listings', (SELECT json_agg(json_build_array(
    channel_id, channel_sku, id, sku_id, preorder_units)) FROM listed),
  'locations', (SELECT json_agg(json_build_array(id, code, sellable) ORDER BY id) FROM location),
  'pools', (SELECT json_agg(json_build_array(id, location_ids)) FROM channel
    WHERE location_ids IS NOT NULL),
  'rules', {RULES},
  'names', (SELECT json_agg(json_build_array(
      f.channel_id, f.fact_ref, f.content_hash, f.kind, f.outcome))
    FROM unnest($5::text::int[], $6::text::text[]) AS told (c, r)
    JOIN fact f ON f.channel_id = told.c AND f.fact_ref = told.r)
)::text
"""  # noqa: S608 -- constants


class NameRead(Struct, frozen=True, array_like=True):
    """A name used before."""

    channel_id: int
    fact_ref: str
    content_hash: int
    kind: str
    outcome: Outcome | None

    @property
    def first(self) -> Outcome:
        """What was said the first time."""
        return self.outcome or (GRANTED if self.kind == "reserve" else RECORDED)


class Document(Struct, frozen=True):
    """What `READ` answers with."""

    waited: bool
    locations: tuple[LocationRead, ...]
    levels: list[tuple[int, int, int, int, int, datetime | None]] | None
    skus: list[SkuRead] | None
    listings: list[ListingRead] | None
    pools: list[tuple[int, tuple[int, ...]]] | None
    rules: str
    names: list[NameRead] | None


_DECODER = msgspec.json.Decoder(Document)


async def read_page(
    connection: Connection, facts: Sequence[Fact], now: datetime
) -> tuple[Page, Known]:
    """Lock and read all that the facts may touch, and the names that were used before."""
    told = mentions(facts)
    changes = await changes_read.read_changes(connection, told)
    document = await _read(connection, told, _held_skus(changes))
    for _ in range(WAITS_MAX):
        # What was not there yet could not be locked: it may have come before the balances were.
        came = await changes_read.came_meanwhile(connection, told, changes)
        if not (document.waited or came):
            break
        if came:
            changes = await changes_read.read_changes(connection, told)
        document = await _read(connection, told, _held_skus(changes))
    page = _page(document, changes, now)
    for order in changes.orders.values():
        for line in order.lines.values():
            if not line.parts and line.sku_id is not None:
                line.recipe = page.recipe(line.sku_id)
    counts = [fact for fact in facts if isinstance(fact, StockCounted)]
    if counts:
        page.moved_since = await _read_moved(connection, page, counts)
    known = {
        (name.channel_id, name.fact_ref): (name.content_hash, name.first)
        for name in document.names or ()
    }
    return page, known


async def lock(connection: Connection, sku_ids: Sequence[int]) -> list[Row]:
    """Lock the balances of some SKUs and read them, as whoever had the lock before left them."""
    rows = await connection.fetch(
        "SELECT sku_id, location_id, on_hand, reserved, revision, counted_at FROM stock_level"
        " WHERE sku_id = ANY($1::int[]) ORDER BY sku_id, location_id FOR UPDATE",
        sku_ids,
    )
    return [tuple(row) for row in rows]


async def read_balances(connection: Connection, sku_ids: Sequence[int], now: datetime) -> Page:
    """Lock and read the balances of some SKUs, with the rules by which a shortage is measured."""
    told = mentions(())
    document = await _read(connection, told, sku_ids)
    for _ in range(WAITS_MAX):
        if not document.waited:
            break
        document = await _read(connection, told, sku_ids)
    return _page(document, Changes(), now)


async def _read(connection: Connection, told: Mentions, held: Sequence[int]) -> Document:
    text = await connection.fetchval(
        READ,
        told.sku_codes,
        held,
        [channel_id for channel_id, _ in told.listings],
        [channel_sku for _, channel_sku in told.listings],
        literal([channel_id for channel_id, _ in told.names]),
        quoted([fact_ref for _, fact_ref in told.names]),
    )
    return _DECODER.decode(text)


def _page(document: Document, changes: Changes, now: datetime) -> Page:
    skus = document.skus or ()
    return Page(
        now=now,
        skus={sku.code: sku for sku in skus},
        skus_by_id={sku.id: sku for sku in skus},
        listings={(each.channel_id, each.channel_sku): each for each in document.listings or ()},
        locations={location.code: location for location in document.locations},
        sellable=tuple(each.id for each in document.locations if each.sellable),
        pools=dict(document.pools or ()),
        book=Book({row[:2]: Level(*row, stored=True) for row in document.levels or ()}),
        changes=changes,
        rules=document.rules,
    )


def _held_skus(changes: Changes) -> list[int]:
    lines = [line for order in changes.orders.values() for line in order.lines.values()]
    return sorted(
        {line.sku_id for line in lines if line.sku_id is not None}
        | {sku_id for line in lines for sku_id in line.parts}
        | {sku_id for hold in changes.holds.values() for sku_id, _ in hold.parts}
        | {transfer.sku_id for transfer in changes.transfers.values()}
        | {supply.sku_id for supply in changes.supplies.values()}
    )


async def _read_moved(
    connection: Connection, page: Page, counts: Sequence[StockCounted]
) -> Mapping[tuple[int, int, datetime], int]:
    """Units by which on hand changed after each count's moment; read under the balances' locks."""
    moved: dict[tuple[int, int, datetime], int] = {}
    for fact in counts:
        sku = page.skus.get(fact.sku)
        location = page.locations.get(fact.location) if fact.location else None
        location_id = location.id if location else page.sellable[0]
        if sku is None:
            continue
        # What happened after the count was recorded after it, but for clocks that run ahead.
        moved[sku.id, location_id, fact.occurred_at] = await connection.fetchval(
            "SELECT coalesce(sum(on_hand_delta), 0) FROM movement WHERE sku_id = $1"
            " AND location_id = $2 AND occurred_at > $3 AND recorded_at > $3 - interval '1 day'",
            sku.id,
            location_id,
            fact.occurred_at,
        )
    return moved
