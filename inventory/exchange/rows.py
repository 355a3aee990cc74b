"""From a file's cells to listings and stock, checked as far as one row can tell. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from msgspec import Struct, structs

from inventory.exchange.formats import Field
from inventory.exchange.reader import BadRow, Row, Table, shown
from inventory.facts import QUANTITY_MAX

CODE = re.compile(r"[!-.0-~]{1,200}")
REF = re.compile(r"[!-~](?:[ -~]{0,198}[!-~])?")
NUMBER = re.compile(r"-?[0-9]{1,7}")
TITLE_CHARACTERS_MAX = 200
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
UNITS = (Field.SAFETY_STOCK, Field.QUANTITY_MAX, Field.QUANTITY_FLOOR, Field.PREORDER_UNITS)
# Where a rule is not the channel's but none: these columns of a listing are never null.
ZERO_WHEN_BLANK = (Field.PREORDER_UNITS,)


class ListingLine(Struct, frozen=True):
    """A listing as a file names it; `rules` are of the columns that the file has."""

    line: int
    channel_sku: str
    sku: str
    title: str
    rules: dict[str, Any]


class StockLine(Struct, frozen=True):
    """A number of units as a file names it. `number` None: left out, for the reason given."""

    line: int
    sku: str
    channel_sku: str
    title: str
    place: str
    number: int | None
    left_out: str = ""


Line = TypeVar("Line", ListingLine, StockLine)


class Wrong(Exception):
    """A cell that cannot be used."""

    def __init__(self, field: Field, problem: str, cell: str = "") -> None:
        super().__init__(problem)
        self.field, self.problem, self.cell = field, problem, cell


def listings(table: Table) -> Iterator[ListingLine | BadRow]:
    """The listings of a file; rows that tell of an item as a whole are left out."""
    return _lines(table, lambda row: _listing(table, row))


def stock(table: Table, quantity: Field) -> Iterator[StockLine | BadRow]:
    """The numbers of a file, out of its column `quantity`."""
    return _lines(table, lambda row: _stock(table, row, quantity))


def _lines(table: Table, read: Callable[[Row], Line]) -> Iterator[Line | BadRow]:
    """What is read of each row. A row without a title has that of its item, told before it."""
    item, title = "", ""
    for row in table.rows():
        if isinstance(row, BadRow):
            yield row
        elif _is_item(table, row):
            item, title = row.cells.get(Field.ITEM, "").lower(), _title(row)
        else:
            try:
                line = read(row)
            except Wrong as wrong:
                yield _bad(table, row, wrong)
                continue
            if not line.title and item and row.cells.get(Field.ITEM, "").lower() == item:
                line = structs.replace(line, title=title)
            yield line


def _bad(table: Table, row: Row, wrong: Wrong) -> BadRow:
    column = table.column(wrong.field)
    return BadRow(line=row.line, column=column, problem=wrong.problem, value=shown(wrong.cell))


def _is_item(table: Table, row: Row) -> bool:
    return table.format.wants_variant and not row.cells.get(Field.VARIANT)


def _listing(table: Table, row: Row) -> ListingLine:
    channel_sku = channel_sku_of(table, row)
    if not channel_sku:
        field = Field.CHANNEL_SKU if Field.CHANNEL_SKU in table.places else Field.ITEM
        raise Wrong(field, "the channel's name of the listing is missing")
    return ListingLine(
        row.line, channel_sku, _code(row, Field.SKU, needed=True), _title(row), _rules(table, row)
    )


def _stock(table: Table, row: Row, quantity: Field) -> StockLine:
    cell = row.cells.get(quantity, "")
    left_out = ""
    if _by_channel(table, row):
        left_out = "shipped by the channel"
    elif cell.casefold() in table.format.nothing:
        left_out = "not kept there"
    number = None if left_out else _number(row, quantity, least=-QUANTITY_MAX)
    if number is None and not left_out:
        raise Wrong(quantity, "the number is missing")
    return StockLine(
        line=row.line,
        sku=_code(row, Field.SKU, needed=False),
        channel_sku=channel_sku_of(table, row),
        title=_title(row),
        place=row.cells.get(Field.LOCATION, ""),
        number=number,
        left_out=left_out,
    )


def channel_sku_of(table: Table, row: Row) -> str:
    """The channel SKU of a row, of one column or put together; "" where there is none."""
    field, found = Field.CHANNEL_SKU, row.cells.get(Field.CHANNEL_SKU, "")
    if not found and row.cells.get(Field.ITEM):
        item, variant = row.cells[Field.ITEM], row.cells.get(Field.VARIANT, "")
        item = item.lower() if table.format.lower_item else item
        field = Field.ITEM
        found = f"{item}{table.format.joined_by}{variant}" if variant else item
    if found and not REF.fullmatch(found):
        raise Wrong(field, "up to 200 printable ASCII characters are wanted", found)
    return found


def _code(row: Row, field: Field, *, needed: bool) -> str:
    cell = row.cells.get(field, "")
    if not cell and needed:
        raise Wrong(field, "the SKU is missing")
    if cell and not CODE.fullmatch(cell):
        problem = "a SKU is up to 200 printable ASCII characters without space and slash"
        raise Wrong(field, problem, cell)
    return cell


def _title(row: Row) -> str:
    return CONTROLS.sub(" ", row.cells.get(Field.TITLE, ""))[:TITLE_CHARACTERS_MAX].strip()


def _rules(table: Table, row: Row) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in UNITS:
        if field in table.places:
            units = _number(row, field, least=0)
            found[field.value] = 0 if units is None and field in ZERO_WHEN_BLANK else units
    if Field.SAFETY_PERCENT in table.places:
        found["safety_percent"] = _number(row, Field.SAFETY_PERCENT, least=0, most=100)
    if Field.CLOSED in table.places:
        found["closed"] = _yes(table, row, Field.CLOSED)
    if Field.BY_CHANNEL in table.places:
        found["fulfilled_by_channel"] = _by_channel(table, row)
    return found


def _by_channel(table: Table, row: Row) -> bool:
    return Field.BY_CHANNEL in table.places and _yes(table, row, Field.BY_CHANNEL)


def _yes(table: Table, row: Row, field: Field) -> bool:
    cell = row.cells.get(field, "")
    word = cell.casefold()
    if word in table.format.ours:
        return False
    if word.startswith(table.format.theirs):
        return True
    raise Wrong(field, f"one of {', '.join(table.format.theirs)} or nothing is wanted", cell)


def _number(row: Row, field: Field, *, least: int, most: int = QUANTITY_MAX) -> int | None:
    cell = unicodedata.normalize("NFKC", row.cells.get(field, ""))
    if not cell:
        return None
    if not NUMBER.fullmatch(cell) or not least <= int(cell) <= most:
        raise Wrong(field, f"a whole number from {max(least, 0)} to {most} is wanted", cell)
    return int(cell)
