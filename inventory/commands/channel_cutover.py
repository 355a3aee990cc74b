"""Commands that take over a running shop: its open orders, its shelves, its past."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inventory.commands import exchange
from inventory.commands.channel import Code, channel_id_of, run_runtime
from inventory.commands.common import run
from inventory.commands.exchange import (
    BadRowsOption,
    Column,
    CountedAt,
    Encoding,
    FormatName,
    Quantity,
)
from inventory.commands.exchange_told import imported_lines

if TYPE_CHECKING:
    from inventory.exchange.counting import Counting
    from inventory.exchange.imported import Imported, Manner
    from inventory.exchange.reader import Table
    from workers.cutover import OpenOrders
    from workers.runtime import Runtime

PULL_SECONDS = 900

Stock = Annotated[
    Path | None, typer.Option(help="What lies on the shelves.", exists=True, dir_okay=False)
]
Days = Annotated[int, typer.Option(help="How far back past orders are read.", min=1, max=89)]
Patience = Annotated[
    float, typer.Option("--seconds", help="How long open orders are waited for.", min=1)
]


def cutover(  # noqa: PLR0913, PLR0917 -- options of the command line
    code: Code,
    stock: Stock = None,
    name: FormatName = "hikiate",
    counted_at: CountedAt = None,
    quantity: Quantity = None,
    encoding: Encoding = None,
    column: Column = None,
    bad_rows: BadRowsOption = "stop",
    days: Days = 89,
    seconds: Patience = PULL_SECONDS,
) -> None:
    """Take over a running shop, step by step; begun again, it goes on where it is.

    Open orders are pulled and booked as reserved; then stock is counted from a file, as of its
    moment; then past orders are read in the background, for the metric. Nothing is published.
    Exit code 1 where a row of the file could not be used.
    """
    from inventory.clock import Clock
    from inventory.exchange.stock_in import column_of

    manner = exchange.manner_of(bad_rows, create=False, moment=Clock().now())
    # Looked at first: a file that cannot be used should not wait for the orders.
    table = None
    if stock is not None:
        table = exchange.table_of(stock, name, encoding, column)
        column_of(table, exchange.counting_of(stock, counted_at, quantity).quantity)
    found = run_runtime(lambda runtime: _open_orders(runtime, code, seconds))
    for line in _told(code, found):
        typer.echo(line)
    bad = 0
    if stock is not None and table is not None:
        counting = exchange.counting_of(stock, counted_at, quantity)
        bad = _count(table, counting, manner, code)
    else:
        typer.echo("2. no --stock: the shelves stay as they are in the book")
    typer.echo(f"3. {_history(code, days)}")
    typer.echo(f"next: hikiate channel shadow {code}; when it is right, hikiate channel go {code}")
    if bad:
        raise typer.Exit(1)


def _count(table: Table, counting: Counting, manner: Manner, code: str) -> int:
    """Count what the file says; how many rows could not be used. Ends where nothing went in."""
    done: Imported = run(lambda database: exchange.count(database, table, counting, manner, code))
    for line in imported_lines(done, exchange.COUNTED):
        typer.echo(f"2. {line}")
    if done.bad_rows:
        typer.echo(f"2. hikiate import stock --channel {code} has --create-skus and --place, too")
    if done.stopped:
        raise typer.Exit(1)
    return done.bad_rows


async def _open_orders(runtime: Runtime, code: str, seconds: float) -> OpenOrders:
    from inventory.commands.progress import Progress
    from workers import cutover as taking_over

    channel_id = await channel_id_of(runtime.database, code)
    return await taking_over.pull_open_orders(
        runtime, channel_id, seconds=seconds, tell=Progress().tell
    )


def _told(code: str, found: OpenOrders) -> list[str]:
    told = [f"1. open orders are in: {found.orders}, which hold {found.units} units"]
    if found.parked:
        told.append(
            f"1. {found.parked} events wait for a person: hikiate event list; those of listings"
            f" that are not mapped: hikiate channel match {code}, then begin again"
        )
    return told


def history(code: Code, days: Days = 89) -> None:
    """Have a shop's past orders read for its metric; where it stands. No stock moves by them."""
    typer.echo(_history(code, days))


def _history(code: str, days: int) -> str:
    async def ask(runtime: Runtime) -> str:
        from inventory import past_orders

        channel_id = await channel_id_of(runtime.database, code)
        async with runtime.database.transaction() as session:
            found = await past_orders.ask(session, channel_id, days=days, now=runtime.clock.now())
        runtime.ring("history", channel_id)
        said = f"past orders since {found.since:%Y-%m-%d} (UTC): {found.state}"
        said += f" ({found.failure})" if found.failure else ""
        if found.until:
            said += f", read to {found.until:%Y-%m-%d %H:%M}, {found.orders} were new"
        return said

    told: str = run_runtime(ask)
    return told
