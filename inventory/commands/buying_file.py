"""A file that says how SKUs are bought: read wholly, or refused by the line that is wrong."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inventory.commands.asked import checked
from inventory.errors import BadInput

if TYPE_CHECKING:
    from inventory.alerting.suppliers import BuyingRow

ROWS_MAX = 200_000
COLUMNS = ("sku", "category", "supplier", "pack_size")
_MORE = "more"


def rows_in(file: Path) -> list[BuyingRow]:
    """The rows of a CSV in UTF-8 with a heading. Raises `BadInput`, `OSError`.

    An empty cell is no category, no supplier, packs of one; an empty line is no row.
    """
    with file.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines, restkey=_MORE, strict=True)
        try:
            return _each_once(reader)
        except (csv.Error, UnicodeDecodeError) as error:
            raise BadInput(f"{file.name} is no CSV in UTF-8: {error}") from None


def _each_once(reader: csv.DictReader[str]) -> list[BuyingRow]:
    found: dict[str, BuyingRow] = {}
    for row in _rows(reader):
        if row.sku in found:
            raise BadInput(f"line {reader.line_num}: {row.sku} stands there twice")
        found[row.sku] = row
        if len(found) > ROWS_MAX:
            raise BadInput(f"a file has at most {ROWS_MAX:,} rows")
    return list(found.values())


def _rows(reader: csv.DictReader[str]) -> Iterator[BuyingRow]:
    from inventory.alerting.suppliers import BuyingRow

    headings: Sequence[str] = reader.fieldnames or ()
    if not {"sku"} <= set(headings) <= set(COLUMNS) or len(set(headings)) < len(headings):
        raise BadInput(f"the file's headings must be some of {', '.join(COLUMNS)}, with sku")
    for cells in reader:
        given: dict[str, Any] = {name: cell for name, cell in cells.items() if cell}
        if _MORE in given:
            raise BadInput(f"line {reader.line_num}: more cells than headings")
        try:
            row: BuyingRow = checked(given, BuyingRow, strict=False)
        except BadInput as error:
            raise BadInput(f"line {reader.line_num}: {error}") from None
        yield row
