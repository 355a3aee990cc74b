"""What commands share: the house's database and time, tables for people, JSON for programs."""

from __future__ import annotations

import asyncio
import getpass
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from unicodedata import east_asian_width

import typer

from inventory.commands.house import settings_here

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from inventory.db import Database

ROWS_MAX = 100
# Of what is read from the newest on: an id that none reaches.
NEWEST = 2**62

NUMBER = re.compile(r"[+-]?[0-9][0-9,]*([.][0-9]+)?")

JsonOut = Annotated[bool, typer.Option("--json", help="Write JSON to standard output.")]


def run(work: Callable[[Database], Awaitable[Any]]) -> Any:
    """Work with the house's database to its end."""
    from inventory.db import Database

    async def connected() -> Any:
        database = Database(settings_here().database_url)
        try:
            return await work(database)
        finally:
            await database.aclose()

    return asyncio.run(connected())


def in_one(work: Callable[[AsyncSession], Awaitable[Any]]) -> Any:
    """Do a piece of work in one transaction."""

    async def done(database: Database) -> Any:
        async with database.transaction() as session:
            return await work(session)

    return run(done)


def now() -> datetime:
    """The house's time."""
    from inventory.clock import Clock

    return Clock().now()


def by_me() -> str:
    """Who acts, as the record names them."""
    return f"command line, {getpass.getuser()}"


def tokyo(moment: datetime | None) -> str:
    """A time as the shop reads it, Asia/Tokyo; a dash for none."""
    from inventory.clock import JST

    return "-" if moment is None else f"{moment.astimezone(JST):%Y-%m-%d %H:%M:%S}"


def write_json(found: Any) -> None:
    """What programs read."""
    import msgspec

    typer.echo(json.dumps(msgspec.to_builtins(found), indent=2, ensure_ascii=False))


def print_rows(
    rows: Sequence[Any],
    heading: Sequence[str],
    cells: Callable[[Any], Sequence[object]],
    *,
    none: str,
    json_out: bool,
) -> None:
    """Rows as a table for people, or as JSON for programs; `none` says that there are none."""
    if json_out:
        write_json(rows)
    else:
        print_table(heading, [cells(row) for row in rows], none=none)


def print_table(
    heading: Sequence[str], rows: Sequence[Sequence[object]], *, none: str | None = None
) -> None:
    """Columns as wide as they need be; numbers stand to the right.

    Where there are no rows, `none` says so on standard error in place of the heading.
    """
    if not rows and none is not None:
        typer.echo(none, err=True)
        return
    lines = [list(heading), *([str(cell) for cell in row] for row in rows)]
    columns = list(zip(*lines, strict=True))
    widths = [max(map(_width, column)) for column in columns]
    right = [_are_numbers(column[1:]) for column in columns]
    for line in lines:
        shown = []
        for cell, width, to_right in zip(line, widths, right, strict=True):
            space = " " * (width - _width(cell))
            shown.append(space + cell if to_right else cell + space)
        typer.echo("  ".join(shown).rstrip())


def _width(cell: str) -> int:
    """How many places of a terminal it takes: a Japanese character takes two."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in cell)


def _are_numbers(cells: Sequence[str]) -> bool:
    """Whether a column is of numbers, and of dashes where there is none."""
    known = [cell for cell in cells if cell not in {"", "-"}]
    return bool(known) and all(NUMBER.fullmatch(cell) for cell in known)
