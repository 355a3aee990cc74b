"""Commands that read and write files: the malls' own formats, NextEngine's, Shopify's and ours."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from inventory.commands.common import JsonOut, by_me, now, run
from inventory.commands.exchange_told import tell_imported

if TYPE_CHECKING:
    from inventory.db import Database
    from inventory.exchange.counting import Counting
    from inventory.exchange.imported import Imported, Manner
    from inventory.exchange.reader import Table

imports = typer.Typer(help="Files in: which SKU a listing is, and what was counted.")
exports = typer.Typer(help="Files out, in the formats in which they come in.")

File = Annotated[Path, typer.Argument(help="The file.", exists=True, dir_okay=False)]
ChannelCode = Annotated[str, typer.Option(help="The channel's code.")]
MaybeChannel = Annotated[
    str | None, typer.Option(help="Channel whose names of listings the file uses.")
]
FormatName = Annotated[
    str,
    typer.Option("--format", help="hikiate, rakuten, yahoo, amazon, nextengine or shopify."),
]
Encoding = Annotated[str | None, typer.Option(help="Another than the format's, such as utf-8.")]
Column = Annotated[
    list[str] | None,
    typer.Option(help="Another heading for a field: sku=商品番号; may be given again."),
]
COUNTED = ("counted for the first time", "counted anew", "told before")
BadRowsOption = Annotated[
    str, typer.Option("--bad-rows", help="stop: nothing goes in; skip: the rest goes in.")
]
CreateSkus = Annotated[bool, typer.Option("--create-skus", help="Add SKUs that are not there.")]
CountedAt = Annotated[
    str | None, typer.Option(help="When it was counted; Tokyo time, or with zone. Else now.")
]
LocationCode = Annotated[str, typer.Option(help="Where rows lie that name no place.")]
Place = Annotated[
    list[str] | None, typer.Option(help="A place's name in the file: Warehouse=main; may be again.")
]
Quantity = Annotated[
    str | None, typer.Option(help="on_hand (counted) or available (open orders taken off).")
]
Out = Annotated[Path, typer.Option(help="The file.")]
Raw = Annotated[bool, typer.Option("--raw", help="Text as it is, also what looks like a formula.")]


def table_of(file: Path, name: str, encoding: str | None, columns: Sequence[str] | None) -> Table:
    """The file, opened in a format. Raises `BadInput`."""
    from inventory.exchange import formats, reader

    given = _pairs(columns, "--column")
    table = reader.open_file(file, formats.format_named(name, columns=given, encoding=encoding))
    for field in given:
        reader.need(table, formats.Field(field))
    return table


def _pairs(given: Sequence[str] | None, option: str) -> dict[str, str]:
    pairs = [each.partition("=") for each in given or ()]
    if any(not key or not value for key, _, value in pairs):
        raise typer.BadParameter(f"{option} is given as NAME=VALUE")
    return {key: value for key, _, value in pairs}


def manner_of(bad_rows: str, *, create: bool, moment: datetime) -> Manner:
    """How the import is done."""
    from inventory.exchange.imported import Manner

    if bad_rows not in {"stop", "skip"}:
        raise typer.BadParameter("--bad-rows must be stop or skip")
    chosen: Literal["stop", "skip"] = "skip" if bad_rows == "skip" else "stop"
    return Manner(bad_rows=chosen, create=create, by=by_me(), now=moment)


@imports.command("listings")
def import_listings(
    file: File,
    channel: ChannelCode,
    name: FormatName = "hikiate",
    encoding: Encoding = None,
    column: Column = None,
    bad_rows: BadRowsOption = "stop",
    create_skus: CreateSkus = False,  # noqa: FBT002 -- a flag of the command line
    json_out: JsonOut = False,  # noqa: FBT002 -- the same
) -> None:
    """Say which SKU each listing of a channel is. Exit code 1 where a row could not be used.

    A bad row is named by line and column. Rules of columns that the file does not have stay.
    """
    manner = manner_of(bad_rows, create=create_skus, moment=now())
    table = table_of(file, name, encoding, column)

    async def work(database: Database) -> Imported:
        from inventory import connections
        from inventory.commands.progress import Progress
        from inventory.exchange import listings_in

        async with database.sessions() as session:
            found = await connections.channel_by_code(session, channel)
        return await listings_in.import_listings(database, found.id, table, manner, Progress().tell)

    with _going_on("give the same command again"):
        done = run(work)
    tell_imported(done, ("new", "changed", "as they were"), json_out=json_out)


@imports.command("stock")
def import_stock(  # noqa: PLR0913, PLR0917 -- options of the command line
    file: File,
    name: FormatName = "hikiate",
    channel: MaybeChannel = None,
    counted_at: CountedAt = None,
    quantity: Quantity = None,
    location: LocationCode = "",
    place: Place = None,
    encoding: Encoding = None,
    column: Column = None,
    bad_rows: BadRowsOption = "stop",
    create_skus: CreateSkus = False,  # noqa: FBT002 -- a flag of the command line
    json_out: JsonOut = False,  # noqa: FBT002 -- the same
) -> None:
    """Count what a file says, as of its moment. Exit code 1 where a row could not be used.

    Every row is a physical count. The same file counted at the same moment changes nothing when
    it is told again.
    """
    manner = manner_of(bad_rows, create=create_skus, moment=now())
    counting = counting_of(file, counted_at, quantity, location, place)
    table = table_of(file, name, encoding, column)

    async def work(database: Database) -> Imported:
        return await count(database, table, counting, manner, channel)

    with _going_on(f"give the same command again, with {_again(counting)}"):
        done = run(work)
    tell_imported(done, COUNTED, json_out=json_out)


@contextmanager
def _going_on(how: str) -> Iterator[None]:
    """Say, to whoever breaks an import off, that what went in stays, and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"\nbroken off: what went in stays; to go on, {how}", err=True)
        raise


def _again(counting: Counting) -> str:
    from inventory.commands.ledger import TOKYO

    return f"--counted-at {counting.counted_at.astimezone(TOKYO):%Y-%m-%dT%H:%M:%S}"


def counting_of(
    file: Path,
    counted_at: str | None,
    quantity: str | None,
    location: str = "",
    place: Sequence[str] | None = None,
) -> Counting:
    """What the numbers of a file mean; their names come from the file's content and the moment.

    Raises `BadInput` for a moment that is no time, or is still to come.
    """
    from inventory.booking.stockroom import AHEAD
    from inventory.commands.ledger import moment_in
    from inventory.errors import BadInput
    from inventory.exchange.counting import Counting
    from inventory.exchange.formats import Field

    if quantity not in {None, "on_hand", "available"}:
        raise typer.BadParameter("--quantity must be on_hand or available")
    # Whole seconds, as names have them: told again, the moment must be the same.
    moment = (moment_in(counted_at) if counted_at else now()).replace(microsecond=0)
    if moment > now() + AHEAD:
        raise BadInput(f"--counted-at {counted_at} (Tokyo, unless it says so) is still to come")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    return Counting(
        name=f"import {digest} {moment:%Y-%m-%dT%H:%M:%S}",
        counted_at=moment,
        location=location,
        places=_pairs(place, "--place"),
        quantity=Field(quantity) if quantity else None,
    )


async def count(
    database: Database, table: Table, counting: Counting, manner: Manner, channel: str | None
) -> Imported:
    """Tell the ledger what was counted; the names of listings are those of `channel`."""
    from msgspec import structs

    from inventory import connections
    from inventory.clock import Clock
    from inventory.commands.progress import Progress
    from inventory.exchange import stock_in
    from inventory.ledger import Ledger

    if channel is not None:
        async with database.sessions() as session:
            found = await connections.channel_by_code(session, channel)
        counting = structs.replace(counting, channel_id=found.id)
    ledger = Ledger(database, Clock())
    return await stock_in.import_stock(database, ledger, table, counting, manner, Progress().tell)


@exports.command("listings")
def export_listings(
    channel: ChannelCode,
    out: Out,
    name: FormatName = "hikiate",
    encoding: Encoding = None,
    raw: Raw = False,  # noqa: FBT002 -- a flag of the command line
) -> None:
    """Write a channel's listings, the numbers that they should show, and their rules."""
    from inventory import connections
    from inventory.exchange import formats, writer

    format_ = formats.format_named(name, encoding=encoding)

    async def parts(database: Database) -> AsyncIterator[bytes]:
        async with database.sessions() as session:
            found = await connections.channel_by_code(session, channel)
        async for part in writer.listings(database, found.id, format_, raw=raw):
            yield part

    _write(out, parts)


@exports.command("stock")
def export_stock(
    out: Out,
    name: FormatName = "hikiate",
    encoding: Encoding = None,
    raw: Raw = False,  # noqa: FBT002 -- a flag of the command line
) -> None:
    """Write what lies at sellable locations, by SKU and location."""
    from inventory.exchange import formats, writer

    format_ = formats.format_named(name, encoding=encoding)
    _write(out, lambda database: writer.stock(database, format_, raw=raw))


def _write(out: Path, parts: Callable[[Database], AsyncIterator[bytes]]) -> None:
    """Write a file; it is put in its place when it is whole."""
    from inventory.errors import BadInput

    unfinished = out.with_name(f"{out.name}.part")
    if out.is_dir() or not out.parent.is_dir():
        raise BadInput(f"--out {out}: a file in a folder that is there is wanted")

    async def work(database: Database) -> int:
        written = 0
        with unfinished.open("wb") as file:
            async for part in parts(database):
                written += file.write(part)
        return written

    try:
        written = run(work)
        unfinished.replace(out)
    finally:
        unfinished.unlink(missing_ok=True)
    typer.echo(f"{written} bytes in {out}", err=True)
