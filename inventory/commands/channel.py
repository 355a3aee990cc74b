"""Commands that connect shops: add one, ask it about itself, look at its shadow, let it go live."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inventory.commands import channel_told
from inventory.commands.common import JsonOut, by_me, now, print_table, run
from inventory.commands.house import settings_here

if TYPE_CHECKING:
    from inventory.db import Database
    from inventory.onboarding import Kept
    from inventory.past_orders import Reading
    from inventory.reports.channels import ChannelRow
    from inventory.shadow import ShadowTotals
    from workers.runtime import Runtime

DANGERS_PRINTED = 20
SHADOW_PRINTED = 50
ROWS_MAX = 500
LIST_HEADING = (
    *("channel", "kind", "state", "pulled (UTC)", "history", "key ends", "dangers", "fails"),
)

channels = typer.Typer(help="The connected shops: add, look, discover, match, go live.")

Unchecked = Annotated[
    bool, typer.Option("--unchecked", help="Do not ask the shop whether the keys work.")
]
Code = Annotated[str, typer.Argument(metavar="CHANNEL", help="The channel's code.")]


def run_runtime(work: Callable[[Runtime], Awaitable[Any]]) -> Any:
    """Work with a worker's parts to their end, beside the workers that run.

    What the shop refuses is said in one line, with exit code 1.
    """
    from channels.base import ChannelError
    from inventory import logs
    from workers.runtime import Runtime

    settings = settings_here()
    # What an adapter has to say goes to standard error, without secrets.
    logs.setup(settings)

    async def connected() -> Any:
        runtime = Runtime(settings)
        try:
            return await work(runtime)
        finally:
            await runtime.aclose()

    try:
        return asyncio.run(connected())
    except ChannelError as error:
        typer.echo(f"hikiate: the shop: {error.code}: {error}", err=True)
        raise typer.Exit(1) from None


async def channel_id_of(database: Database, code: str) -> int:
    """The id of a shop. Raises `NotFound`, `WrongState` for one that has no adapter."""
    from inventory import connections
    from inventory.errors import WrongState
    from inventory.onboarding import WITHOUT_STANDING

    async with database.sessions() as session:
        found = await connections.channel_by_code(session, code)
    if found.kind in WITHOUT_STANDING:
        raise WrongState(f"{code} is {found.kind}: it asks us, and cannot be asked")
    return found.id


@channels.command()
def add(
    code: Annotated[str | None, typer.Option(help="Its code, asked for if not given.")] = None,
    kind: Annotated[str | None, typer.Option(help="Its kind, asked for if not given.")] = None,
    from_file: Annotated[
        str | None, typer.Option(help="All of it as JSON: a file, or - for standard input.")
    ] = None,
    unchecked: Unchecked = False,  # noqa: FBT002 -- a flag of the command line
    json_out: JsonOut = False,  # noqa: FBT002 -- the same
) -> None:
    """Connect a shop: its settings and keys are asked for, tried, and sealed.

    Nothing is published to it until `hikiate channel go`. Exit code 2 when its keys do not work.
    """
    from inventory import onboarding
    from inventory.app import check_by_adapter
    from inventory.commands import channel_questions
    from workers import onboarding as asking

    # Nobody should type everything only to hear then that no house runs, or the code is taken.
    settings_here()
    if from_file:
        new = channel_questions.read(from_file)
    else:
        new = channel_questions.ask(code, kind, _free)

    async def work(runtime: Runtime) -> tuple[ChannelRow, Kept | None, list[str]]:
        row, kept = await asking.connect(
            runtime, new, check=check_by_adapter, by=by_me(), unchecked=unchecked
        )
        account = kept.account if kept else ""
        async with runtime.database.sessions() as session:
            return row, kept, await onboarding.twins(session, row.id, row.kind, account)

    row, kept, twins = run_runtime(work)
    if json_out:
        import msgspec

        typer.echo(json.dumps(msgspec.to_builtins({"channel": row, "standing": kept})))
    else:
        channel_told.print_connected(row, kept, twins)


def _free(code: str) -> None:
    from inventory import onboarding

    async def look(database: Database) -> None:
        async with database.sessions() as session:
            await onboarding.free(session, code)

    run(look)


@channels.command("list")
def list_channels(json_out: JsonOut = False) -> None:  # noqa: FBT002 -- a flag
    """Print every shop: whether it is live, its last pull, its past, what ends, what fails."""
    from inventory import past_orders
    from inventory.reports import channels as reports_channels

    async def read(database: Database) -> Any:
        async with database.sessions() as session:
            rows = await reports_channels.channels(session, after_id=0, limit=ROWS_MAX)
            return [(row, await past_orders.reading(session, row.id)) for row in rows]

    found = run(read)
    if json_out:
        import msgspec

        shown = [{"channel": row, "history": history} for row, history in found]
        typer.echo(json.dumps(msgspec.to_builtins(shown), ensure_ascii=False))
        return
    print_table(LIST_HEADING, [_listed(row, history) for row, history in found])


def _listed(row: ChannelRow, history: Reading | None) -> tuple[object, ...]:
    from inventory import onboarding

    kept = onboarding.kept_of(row.standing)
    ends = min((each.ends_at for each in kept.expiries), default=None)
    stopped = "frozen" if row.live_at else "shadow"
    return (
        *(row.code, row.kind, stopped if row.frozen else "live"),
        f"{row.pulled_at:%Y-%m-%d %H:%M}" if row.pulled_at else "never",
        _past(row, history),
        f"{ends:%Y-%m-%d}" if ends else "-",
        *(len(kept.dangers), row.failure or kept.failure or ""),
    )


def _past(row: ChannelRow, history: Reading | None) -> str:
    from inventory.onboarding import WITHOUT_STANDING

    if row.kind in WITHOUT_STANDING:
        return "-"
    return f"{history.state}, {history.orders} orders" if history else "not asked"


@channels.command()
def check(code: Code, json_out: JsonOut = False) -> None:  # noqa: FBT002 -- a flag
    """Ask a shop whose keys these are, what ends when, and what is dangerous; exit code 1 if not.

    What it says is kept, and health warns 14, 7 and 3 days before a key ends.
    """
    from workers import onboarding as asking

    async def ask(runtime: Runtime) -> Any:
        from inventory import onboarding

        channel_id = await channel_id_of(runtime.database, code)
        kept = await asking.check(runtime, channel_id)
        async with runtime.database.sessions() as session:
            most = DANGERS_PRINTED + 1
            return kept, await onboarding.listing_dangers(session, channel_id, most=most)

    kept, dangers = run_runtime(ask)
    if json_out:
        import msgspec

        typer.echo(json.dumps(msgspec.to_builtins({"standing": kept, "listings": dangers})))
    else:
        channel_told.print_standing(kept)
        channel_told.print_dangers(dangers[:DANGERS_PRINTED])
        if len(dangers) > DANGERS_PRINTED:
            typer.echo("… and more")
    if kept.failure:
        raise typer.Exit(1)


@channels.command()
def shadow(code: Code, json_out: JsonOut = False) -> None:  # noqa: FBT002 -- a flag
    """Print what would be published to a shop, beside what it shows now."""
    from inventory import shadow as report

    async def read(database: Database) -> Any:
        channel_id = await channel_id_of(database, code)
        async with database.sessions() as session:
            rows = await report.rows(
                session, channel_id, after_id=0, limit=SHADOW_PRINTED, differing=True
            )
            return await report.totals(session, channel_id), rows

    totals, rows = run(read)
    if json_out:
        import msgspec

        typer.echo(json.dumps(msgspec.to_builtins({"totals": totals, "listings": rows})))
        return
    if rows:
        heading = ("listing", "SKU", "shows", "would show", "difference", "lane", "read (UTC)")
        print_table(heading, [channel_told.shadowed(row) for row in rows])
    changes = totals.would_rise + totals.would_fall + totals.unread
    if changes > len(rows):
        typer.echo(f"… and {changes - len(rows)} more (GET /v1/channels/{code}/shadow has all)")
    typer.echo(("\n" if rows else "") + channel_told.totals(totals, "would"))


@channels.command()
def go(code: Code) -> None:
    """Let a shop go live: from now on our numbers are published to it."""
    from inventory import connections
    from inventory import shadow as report

    async def live(database: Database) -> ShadowTotals:
        async with database.transaction() as session:
            channel = await connections.go_live(session, code, by=by_me(), now=now())
            return await report.totals(session, channel.id)

    totals = run(live)
    typer.echo(f"{code} is live; freeze it to stop (POST /v1/channels/{code}/freeze)")
    typer.echo(channel_told.totals(totals, "will"))
