"""The commands about the ledger's months, and what all ledger commands share."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inventory.commands.house import settings_here

if TYPE_CHECKING:
    from inventory.db import Database

MONTH_HEADING = ("month (UTC)", "state", "movements", "MB", "table", "hash")

JsonOut = Annotated[bool, typer.Option("--json", help="Write JSON to standard output.")]
MonthName = Annotated[str, typer.Argument(metavar="MONTH", help="Such as 2026-01.")]


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


def now() -> datetime:
    """The house's time."""
    from inventory.clock import Clock

    return Clock().now()


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


def months(json_out: JsonOut = False) -> None:  # noqa: FBT002 -- a flag of the command line
    """Print the ledger's months: open, ended, sealed, detached or missing, and what they hold."""
    rows = run(_months)
    if json_out:
        names = ("month", "state", "movements", "bytes", "table", "hash")
        typer.echo(json.dumps([dict(zip(names, row, strict=True)) for row in rows]))
        return
    print_table(MONTH_HEADING, [(*row[:3], row[3] // 1_000_000, *row[4:]) for row in rows])


async def _months(database: Database) -> list[tuple[Any, ...]]:
    from inventory import partitions

    async with database.engine.connect() as connection:
        return [
            (
                month.name,
                month.state.value,
                await partitions.count(connection, month),
                month.bytes,
                month.table or "",
                month.seal.hash.hex() if month.seal else "",
            )
            for month in await partitions.months(connection, now())
        ]


def seal() -> None:
    """Seal the months that have ended, as the worker does every hour."""
    from inventory.seals import seal_ended

    sealed = run(
        lambda database: seal_ended(database, now(), say=lambda news: typer.echo(news, err=True))
    )
    typer.echo(f"{len(sealed)} sealed")


def detach(month: MonthName) -> None:
    """Take the oldest month, sealed and proven, out of the ledger; its table stays."""
    from inventory import archive, partitions

    found = run(lambda database: archive.detach(database, partitions.parsed(month), now()))
    typer.echo(f"{found.name} is detached: {found.table} may be dumped and dropped")


def attach(month: MonthName) -> None:
    """Bring the newest detached month back, after reading it against its seal."""
    from inventory import archive, partitions

    found = run(lambda database: archive.attach(database, partitions.parsed(month), now()))
    typer.echo(f"{found.name} is attached")
