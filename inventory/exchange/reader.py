"""One reader for all formats: a file's rows, and what is wrong with it by line and column.

Nothing of a file is trusted: its size, the size of its cells and its bytes are bounded or checked.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from inventory.errors import BadInput
from inventory.exchange.formats import Field, Format, heading_key

FILE_BYTES_MAX = 256_000_000
ROWS_MAX = 1_000_000
CELL_CHARACTERS_MAX = 131_072
SHOWN_CHARACTERS_MAX = 40
# How xlsx and zip files begin, and xls.
WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
# How our own files keep a spreadsheet from reading a text as a formula; see `writer`.
ESCAPED = re.compile(r"'(?=[=+\-@\t\r])")
# What a byte becomes that is no character in the file's encoding.
STRANGE = re.compile("[\udc80-\udcff]")


class BadRow(Struct, frozen=True, kw_only=True):
    """What is wrong in one row: its first line in the file, its column's heading, and the cell."""

    line: int
    column: str
    problem: str
    value: str = ""

    def __str__(self) -> str:
        """One line for people."""
        found = f", found {self.value!r}" if self.value else ""
        column = f", column {self.column}" if self.column else ""
        return f"line {self.line}{column}: {self.problem}{found}"


class Row(Struct, frozen=True):
    """One row of a file: the line on which it begins, and the cells of the fields it has."""

    line: int
    cells: dict[Field, str]


class Table(Struct, frozen=True, kw_only=True):
    """A file that was opened: its fields with their headings, and its text for reading rows."""

    format: Format
    headings: Mapping[Field, tuple[str, ...]]
    places: Mapping[Field, tuple[int, ...]]
    width: int
    text: str

    def column(self, field: Field) -> str:
        """The heading under which a field stands."""
        return self.headings[field][0] if field in self.headings else field.value

    def rows(self) -> Iterator[Row | BadRow]:
        """The rows in order. One that is not a row at all comes as a `BadRow`."""
        lines = csv.reader(
            io.StringIO(self.text, newline=""), delimiter=self.format.delimiter, strict=True
        )
        begins, count = 1, 0
        while True:
            begins = lines.line_num + 1
            try:
                cells = next(lines)
            except StopIteration:
                return
            except csv.Error as error:
                yield BadRow(line=begins, column="", problem=_not_a_row(error))
                continue
            count += 1
            if count == 1 or not any(cells):
                continue
            if count > ROWS_MAX + 1:
                raise BadInput(f"a file has at most {ROWS_MAX} rows")
            yield self._row(begins, cells)

    def _row(self, line: int, cells: Sequence[str]) -> Row | BadRow:
        if len(cells) > self.width and any(cells[self.width :]):
            problem = f"{len(cells)} cells under {self.width} headings"
            return BadRow(line=line, column="", problem=problem)
        found: dict[Field, str] = {}
        for field, places in self.places.items():
            given = (cells[place].strip() for place in places if place < len(cells))
            cell = next((text for text in given if text), "")
            if STRANGE.search(cell):
                problem = f"bytes that are not {self.format.encoding}"
                return BadRow(line=line, column=self.column(field), problem=problem)
            found[field] = ESCAPED.sub("", cell, count=1) if cell[:1] == "'" else cell
        return Row(line, found)


def _not_a_row(error: csv.Error) -> str:
    """What the csv module found, in words for whoever has the file before them."""
    said = str(error)
    if "end of data" in said:
        return "a quotation mark opens here and never closes: nothing below it can be read"
    if "field limit" in said:
        return f"a cell has more than {CELL_CHARACTERS_MAX:,} characters"
    return f"not a row: {said}"


def shown(cell: str) -> str:
    """A cell for people: not more of it than fits a line."""
    return cell if len(cell) <= SHOWN_CHARACTERS_MAX else cell[:SHOWN_CHARACTERS_MAX] + "…"


def open_file(path: Path, format_: Format) -> Table:
    """Open a file. Raises `BadInput`, `OSError`."""
    size = path.stat().st_size
    if size > FILE_BYTES_MAX:
        raise BadInput(f"{path.name} has {size} bytes, at most {FILE_BYTES_MAX} are read")
    return open_bytes(path.read_bytes(), format_, name=path.name)


def open_bytes(data: bytes, format_: Format, *, name: str) -> Table:
    """Open a file's bytes. Raises `BadInput` where headings are missing or given twice.

    A byte order mark of UTF-8 goes before the format's own encoding.
    """
    if not data.removeprefix(codecs.BOM_UTF8).strip():
        raise BadInput(f"{name} is empty")
    if data.startswith(WORKBOOKS):
        raise BadInput(f"{name} is a workbook or an archive: save the sheet as CSV, or unpack it")
    encoding = "utf-8" if data.startswith(codecs.BOM_UTF8) else format_.encoding
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    # A byte that is no character makes its row a bad one, not the file.
    text = data.decode(encoding, "surrogateescape").removeprefix("\ufeff")
    csv.field_size_limit(CELL_CHARACTERS_MAX)
    try:
        header = next(
            csv.reader(io.StringIO(text, newline=""), delimiter=format_.delimiter, strict=True), []
        )
    except csv.Error as error:
        raise BadInput(f"{name}, line 1: not a row of headings: {error}") from None
    return _table(header, format_, text, name=name)


def _table(header: Sequence[str], format_: Format, text: str, *, name: str) -> Table:
    places: dict[str, int] = {}
    for place, heading in enumerate(header):
        key = heading_key(heading)
        if key and key in places:
            raise BadInput(f"{name}, line 1: the heading {shown(heading)!r} stands there twice")
        places[key] = place
    found: dict[Field, tuple[str, ...]] = {}
    for field, headings in format_.columns.items():
        there = tuple(each for each in headings if heading_key(each) in places)
        if there:
            found[field] = there
    if not found:
        seen = ", ".join(shown(STRANGE.sub("?", each)) for each in header[:10]) or "nothing"
        raise BadInput(
            f"{name}, line 1: none of the headings of {format_.name} read as {format_.encoding};"
            f" found {seen}. Give another --format, --encoding or --column"
        )
    return Table(
        format=format_,
        headings=found,
        places={
            field: tuple(places[heading_key(each)] for each in headings)
            for field, headings in found.items()
        },
        width=len(header),
        text=text,
    )


def need(table: Table, *fields: Field) -> None:
    """Raises `BadInput`, naming the headings, unless the file has one of these fields."""
    if any(field in table.places for field in fields):
        return
    wanted = [each for field in fields for each in table.format.columns.get(field, ())]
    names = " or ".join(wanted) or "a heading of its own"
    raise BadInput(f"there is no column {names}: give --column {fields[0]}=HEADING")
