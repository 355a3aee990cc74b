"""Commands about the ledger's past: show, export, verify, and its months."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO
from zoneinfo import ZoneInfo

import typer

from inventory.commands import ledger_months
from inventory.commands.common import JsonOut, now, print_table, run, tokyo

if TYPE_CHECKING:
    from inventory.db import Database
    from inventory.history import MovementRow, PastBalance
    from inventory.proof import Proof

TOKYO = ZoneInfo("Asia/Tokyo")
LIMIT_MAX = 500
STOCK_HEADING = ("location", "on hand", "reserved", "available")
MOVEMENT_HEADING = (
    *("recorded (Tokyo)", "location", "what", "on hand", "reserved", "on hand after"),
    *("reserved after", "told by", "fact", "name", "reason"),
)

ledger = typer.Typer(help="The ledger's past: what happened, and proof that the books agree.")

FullProof = Annotated[bool, typer.Option(help="From the first movement, and every month.")]
Since = Annotated[str | None, typer.Option(help="Recorded from then on; Tokyo time, or with zone.")]
Until = Annotated[str | None, typer.Option(help="Recorded before; Tokyo time, or with zone.")]


def moment_in(entered: str) -> datetime:
    """A moment as people write it: without a zone it is Tokyo's."""
    from inventory.errors import BadInput
    from inventory.fields import moment

    try:
        found = datetime.fromisoformat(entered)
    except ValueError:
        raise BadInput(f"{entered!r} is no time: write it as 2026-11-21T20:00") from None
    return moment(found if found.tzinfo else found.replace(tzinfo=TOKYO))


@ledger.command()
def show(
    sku: Annotated[str, typer.Argument(help="Its code.")],
    at: Annotated[str | None, typer.Option(help="As of then; Tokyo time, or with zone.")] = None,
    limit: Annotated[int, typer.Option(help="Most movements.", min=1, max=LIMIT_MAX)] = 20,
    json_out: JsonOut = False,  # noqa: FBT002 -- a flag of the command line
) -> None:
    """Print a SKU's stock by location, and what made it so: its last movements, newest first."""
    when = moment_in(at) if at else None
    name, balance, movements = run(lambda database: _history(database, sku, when, limit))
    if json_out:
        import msgspec

        found = {"sku": sku, "name": name, "balance": balance, "movements": movements}
        typer.echo(json.dumps(msgspec.to_builtins(found), ensure_ascii=False))
        return
    typer.echo(f"{sku}  {name}".rstrip())
    typer.echo(f"stock at {tokyo(when)} (Tokyo)" if when else "stock now")
    print_table(STOCK_HEADING, [_stock_line(place) for place in balance.locations])
    typer.echo(f"\n{len(movements)} movements, newest first")
    print_table(MOVEMENT_HEADING, [_movement_line(row) for row in movements])


async def _history(
    database: Database, sku: str, when: datetime | None, limit: int
) -> tuple[str, PastBalance, list[MovementRow]]:
    from inventory import catalogue, history
    from inventory.exports import MICROSECOND

    until = when + MICROSECOND if when else None
    async with database.sessions() as session:
        found = await catalogue.sku_by_code(session, sku)
        balance = await history.balance(session, sku, found.id, at=when or now())
        wanted = history.Wanted(until=until)
        rows, _ = await history.movements(session, found.id, limit=limit, wanted=wanted)
    return found.name, balance, rows


def _stock_line(place: Any) -> list[object]:
    available = place.on_hand - place.reserved if place.sellable else "not for sale"
    return [place.location, place.on_hand, place.reserved, available]


def _movement_line(row: MovementRow) -> list[object]:
    return [
        tokyo(row.recorded_at),
        row.location,
        row.kind,
        f"{row.on_hand_delta:+}" if row.on_hand_delta else "0",
        f"{row.reserved_delta:+}" if row.reserved_delta else "0",
        row.on_hand_after,
        row.reserved_after,
        row.channel,
        row.fact,
        row.fact_ref,
        row.reason or "",
    ]


@ledger.command()
def export(
    out: Annotated[str, typer.Option(help="The file, or - for standard output.")],
    sku: Annotated[list[str] | None, typer.Option(help="Only this one; may be repeated.")] = None,
    since: Since = None,
    until: Until = None,
    format_: Annotated[str, typer.Option("--format", help="csv or parquet.")] = "csv",
) -> None:
    """Write movements to a file: month by month, SKU by SKU, in their order.

    A file is put in its place when it is whole. In CSV an apostrophe stands before text that a
    spreadsheet would take for a formula.
    """
    from inventory.exports import Format

    if format_ not in set(Format):
        raise typer.BadParameter(f"format must be one of {', '.join(Format)}")
    bounds = (moment_in(since) if since else None, moment_in(until) if until else None)

    async def write(database: Database, file: BinaryIO) -> int:
        written = 0
        async for part in _parts(database, sku or [], bounds, format_):
            written += file.write(part)
        file.flush()
        return written

    if out == "-":
        run(lambda database: write(database, typer.get_binary_stream("stdout")))
        return
    unfinished = Path(f"{out}.part")
    with unfinished.open("wb") as file:
        written = run(lambda database: write(database, file))
    unfinished.replace(out)
    typer.echo(f"{written} bytes in {out}", err=True)


async def _parts(
    database: Database,
    skus: Sequence[str],
    bounds: tuple[datetime | None, datetime | None],
    format_: str,
) -> AsyncIterator[bytes]:
    from inventory import catalogue, exports
    from inventory.history import ALWAYS

    async with database.sessions() as session:
        found = [await catalogue.sku_by_code(session, code) for code in skus]
    selection = exports.Selection(
        sku_ids=[each.id for each in found] if skus else None,
        since=bounds[0] or ALWAYS[0],
        until=bounds[1] or ALWAYS[1],
    )
    rows = exports.chunks(database, selection, now())
    async for part in exports.encoded(rows, exports.Format(format_)):
        yield part


@ledger.command()
def verify(
    full: FullProof = False,  # noqa: FBT002 -- a flag of the command line
    json_out: JsonOut = False,  # noqa: FBT002 -- the same
) -> None:
    """Prove the books: balances from movements, promises, transfers, seals. Exit code 1 if not.

    It begins at the checkpoints of the last proof; sales go on meanwhile.
    """
    from inventory.proof import prove

    def say(news: str) -> None:
        typer.echo(news, err=True)

    proof = run(lambda database: prove(database, now(), full=full, say=say))
    if json_out:
        import msgspec

        typer.echo(json.dumps({"ok": not proof.differences, **msgspec.to_builtins(proof)}))
    else:
        _tell(proof)
    if proof.differences:
        raise typer.Exit(1)


def _tell(proof: Proof) -> None:
    since = f"since the checkpoints of {tokyo(proof.since)} (Tokyo)" if proof.since else "in all"
    typer.echo(f"{proof.balances} balances, {proof.movements} movements {since}; {proof.seconds} s")
    if proof.month:
        read = ", ".join(proof.months_read) or "none"
        typer.echo(f"months read: {read}; newest seal {proof.month} {proof.hash}")
    for difference in proof.differences:
        typer.echo(f"DIFFERENCE {difference.what}: {difference}")
    if not proof.differences:
        typer.echo("the books agree")


ledger.command()(ledger_months.months)
ledger.command()(ledger_months.seal)
ledger.command()(ledger_months.detach)
ledger.command()(ledger_months.attach)
