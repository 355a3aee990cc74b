"""Listings and stock as files, in the formats in which they are read.

A spreadsheet takes text that begins with = + - @, a tab or a carriage return for a formula and
executes it, so an apostrophe stands before such text; reading takes it off again.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import text

from inventory.db import Database
from inventory.errors import BadInput
from inventory.exchange.formats import Field, Format

FORMULA = ("=", "+", "-", "@", "\t", "\r")
CHUNK = 5_000
LISTING_FIELDS = frozenset(Field) - {Field.LOCATION, Field.ON_HAND}
STOCK_FIELDS = frozenset(
    {Field.CHANNEL_SKU, Field.SKU, Field.TITLE, Field.LOCATION, Field.ON_HAND, Field.AVAILABLE}
)
_LISTINGS = text("""
SELECT l.id, l.channel_sku, s.code AS sku, s.name AS title, l.quantity_wanted AS available,
  l.safety_stock, l.safety_percent, l.quantity_max, l.quantity_floor, l.preorder_units, l.closed,
  l.fulfilled_by_channel AS by_channel
FROM listing l JOIN sku s ON s.id = l.sku_id
WHERE l.channel_id = :channel AND l.id > :after ORDER BY l.id LIMIT :most
""")
_STOCK = text("""
SELECT v.sku_id, v.location_id, s.code AS sku, s.code AS channel_sku, s.name AS title,
  l.code AS location, v.on_hand, v.on_hand - v.reserved AS available
FROM stock_level v JOIN sku s ON s.id = v.sku_id JOIN location l ON l.id = v.location_id
WHERE l.sellable AND (v.sku_id, v.location_id) > (:sku, :place)
ORDER BY v.sku_id, v.location_id LIMIT :most
""")


async def listings(
    database: Database, channel_id: int, format_: Format, *, raw: bool = False
) -> AsyncIterator[bytes]:
    """A channel's listings, the numbers that they should show, and their rules, as a file.

    `raw`: text is written as it is. A mall's own file leaves out what the mall ships itself: put up
    there, a number would make it ours to ship (Amazon: an FBA listing becomes one of the seller's).
    Raises `BadInput` where a text is none of the encoding, and for a format without these numbers.
    """
    fields = tuple(each for each in format_.writes if each in LISTING_FIELDS)
    if Field.CHANNEL_SKU not in fields and Field.ITEM not in fields:
        raise BadInput(f"{format_.name} has no column for a channel's name of a listing")
    if Field.AVAILABLE not in fields:
        raise BadInput(f"{format_.name} names what lies at a location: export the stock")
    yield _encoded([_headings(format_, fields)], format_, raw=True, first=True)
    after = 0
    while True:
        async with database.sessions() as session:
            values = {"channel": channel_id, "after": after, "most": CHUNK}
            rows = (await session.execute(_LISTINGS, values)).mappings().all()
        if not rows:
            return
        after = rows[-1]["id"]
        ours = (row for row in rows if Field.BY_CHANNEL in fields or not row["by_channel"])
        lines = [_cells(_split(dict(row), format_), fields) for row in ours]
        yield _encoded(lines, format_, raw=raw)


async def stock(database: Database, format_: Format, *, raw: bool = False) -> AsyncIterator[bytes]:
    """What lies at sellable locations, by SKU and location, as a file. Raises as `listings`."""
    fields = tuple(each for each in format_.writes if each in STOCK_FIELDS)
    if format_.joined_by or not {Field.SKU, Field.CHANNEL_SKU} & set(fields):
        raise BadInput(f"{format_.name} names listings and no SKUs: export a channel's listings")
    if format_.name == "hikiate":
        fields = tuple(each for each in fields if each is not Field.CHANNEL_SKU)
    yield _encoded([_headings(format_, fields)], format_, raw=True, first=True)
    after = (0, 0)
    while True:
        async with database.sessions() as session:
            values = {"sku": after[0], "place": after[1], "most": CHUNK}
            rows = (await session.execute(_STOCK, values)).mappings().all()
        if not rows:
            return
        after = (rows[-1]["sku_id"], rows[-1]["location_id"])
        yield _encoded([_cells(dict(row), fields) for row in rows], format_, raw=raw)


def _headings(format_: Format, fields: Sequence[Field]) -> list[str]:
    return [format_.columns[field][0] for field in fields]


def _split(row: dict[str, Any], format_: Format) -> dict[str, Any]:
    """The row with the channel SKU taken apart as the format has it."""
    if not format_.joined_by:
        return row
    item, _, variant = row["channel_sku"].partition(format_.joined_by)
    return {**row, "item": item, "variant": variant}


def _cells(row: Mapping[str, Any], fields: Sequence[Field]) -> list[str]:
    return [_cell(row[field.value]) for field in fields]


def _cell(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def escaped(cell: str) -> str:
    """Text that no spreadsheet takes for a formula; a number is one, whatever its sign."""
    number = cell.removeprefix("-").isdecimal()
    return f"'{cell}" if cell.startswith(FORMULA) and not number else cell


def _encoded(
    rows: Sequence[Sequence[str]], format_: Format, *, raw: bool, first: bool = False
) -> bytes:
    out = io.StringIO(newline="")
    quoting: Literal[0, 1] = csv.QUOTE_ALL if format_.quote_all else csv.QUOTE_MINIMAL
    writer = csv.writer(out, delimiter=format_.delimiter, quoting=quoting, lineterminator="\r\n")
    writer.writerows(rows if raw else ([escaped(cell) for cell in row] for row in rows))
    content = ("\ufeff" if first and format_.bom else "") + out.getvalue()
    try:
        return content.encode(format_.encoding)
    except UnicodeEncodeError as error:
        wrong = content[error.start]
        row = next(row for row in rows if any(wrong in cell for cell in row))
        raise BadInput(
            f"{wrong!r} is no character of {format_.encoding} (in the row of {row[0]!r});"
            " give another --encoding"
        ) from None
