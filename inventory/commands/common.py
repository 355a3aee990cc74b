"""What commands share: the house's database and time, tables for people, JSON for programs."""

from __future__ import annotations

import asyncio
import getpass
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inventory.commands.house import settings_here

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from inventory.db import Database

ROWS_MAX = 100
# Of what is read from the newest on: an id that none reaches.
NEWEST = 2**62

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


def print_table(heading: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns as wide as they need be; numbers stand to the right."""
    lines = [list(heading), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    right = [bool(rows) and _is_number(cell) for cell in (rows[0] if rows else heading)]
    for line in lines:
        shown = []
        for cell, width, to_right in zip(line, widths, right, strict=True):
            shown.append(cell.rjust(width) if to_right else cell.ljust(width))
        typer.echo("  ".join(shown).rstrip())


def _is_number(cell: object) -> bool:
    return isinstance(cell, int) or str(cell).lstrip("+-").isdecimal()
