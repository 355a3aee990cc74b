"""The commands about the ledger's months."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inventory.commands.common import JsonOut, now, print_table, run

if TYPE_CHECKING:
    from inventory.db import Database

MONTH_HEADING = ("month (UTC)", "state", "movements", "MB", "table", "hash")

MonthName = Annotated[str, typer.Argument(metavar="MONTH", help="Such as 2026-01.")]


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
