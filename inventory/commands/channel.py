"""Commands that connect shops: add one, ask it about itself, look at its shadow, let it go live."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inventory.commands.exchange import by_me
from inventory.commands.house import JsonOut, settings_here
from inventory.commands.ledger_months import now, print_table, run

if TYPE_CHECKING:
    from inventory.connections import NewChannel
    from inventory.db import Database
    from inventory.onboarding import Kept
    from inventory.past_orders import Reading
    from inventory.reports_channels import ChannelRow
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
    """Work with a worker's parts to their end, beside the workers that run."""
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

    return asyncio.run(connected())


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
    from inventory.commands import channel_questions

    new = channel_questions.read(from_file) if from_file else channel_questions.ask(code, kind)
    row, kept = run_runtime(lambda runtime: _connect(runtime, new, unchecked=unchecked))
    if json_out:
        import msgspec

        typer.echo(json.dumps(msgspec.to_builtins({"channel": row, "standing": kept})))
        return
    typer.echo(f"{row.code} ({row.kind}) is connected; nothing is published to it yet")
    _print_standing(kept)
    typer.echo(f"next: hikiate channel discover {row.code}")


async def _connect(
    runtime: Runtime, new: NewChannel, *, unchecked: bool
) -> tuple[ChannelRow, Kept | None]:
    from channels.base import ChannelError
    from channels.keep import MemoryKeep
    from inventory import connections, onboarding, reports_channels
    from inventory.app import check_by_adapter
    from inventory.errors import BadInput
    from workers import onboarding as asking

    keep, standing = MemoryKeep(), None
    if not unchecked and new.kind not in onboarding.WITHOUT_STANDING:
        try:
            standing = await asking.try_credentials(new, runtime.redis, keep)
        except ChannelError as error:
            raise BadInput(f"the shop was not connected: {error.code}: {error}") from None
    moment = runtime.clock.now()
    async with runtime.database.transaction() as session:
        channel = await connections.connect(
            session, new, vault=runtime.vault, check=check_by_adapter, by=by_me(), now=moment
        )
        kept = None
        if standing is not None:
            kept = await onboarding.note_standing(session, channel.id, standing, now=moment)
            await session.flush()
        row = await reports_channels.channel(session, channel.id)
    await asking.hand_over(runtime, row.id, keep)
    runtime.ring("sweep")
    return row, kept


def _print_standing(kept: Kept | None) -> None:
    if kept is None:
        typer.echo("it was not asked about itself")
        return
    if kept.failure:
        typer.echo(f"it could not be asked: {kept.failure}")
    if kept.account:
        typer.echo(f"the keys open the shop {kept.account}")
    for expiry in kept.expiries:
        days = (expiry.ends_at - now()).days
        typer.echo(f"{expiry.name} ends on {expiry.ends_at:%Y-%m-%d} (UTC), in {days} days")
    for danger in kept.dangers:
        typer.echo(f"DANGER {danger.code} {danger.channel_sku}: {danger.detail}")


@channels.command("list")
def list_channels(json_out: JsonOut = False) -> None:  # noqa: FBT002 -- a flag
    """Print every shop: whether it is live, its last pull, its past, what ends, what fails."""
    from inventory import past_orders, reports_channels

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
        f"{history.state}, {history.orders} orders" if history else "not asked",
        f"{ends:%Y-%m-%d}" if ends else "-",
        *(len(kept.dangers), row.failure or kept.failure or ""),
    )


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
        _print_standing(kept)
        for danger in dangers[:DANGERS_PRINTED]:
            typer.echo(f"DANGER {danger.code} {danger.channel_sku}: {danger.detail}")
        if len(dangers) > DANGERS_PRINTED:
            typer.echo("… and more")
    if kept.failure:
        raise typer.Exit(1)


@channels.command()
def shadow(code: Code, json_out: JsonOut = False) -> None:  # noqa: FBT002 -- a flag
    """Print what would be published to a shop, beside what it shows now."""
    from inventory import connections
    from inventory import shadow as report

    async def read(database: Database) -> Any:
        async with database.sessions() as session:
            found = await connections.channel_by_code(session, code)
            rows = await report.rows(
                session, found.id, after_id=0, limit=SHADOW_PRINTED, differing=True
            )
            return await report.totals(session, found.id), rows

    totals, rows = run(read)
    if json_out:
        import msgspec

        typer.echo(json.dumps(msgspec.to_builtins({"totals": totals, "listings": rows})))
        return
    heading = ("listing", "SKU", "shows", "would show", "difference", "lane", "read (UTC)")
    print_table(
        heading,
        [
            (
                *(row.channel_sku, row.sku, "?" if row.shows is None else row.shows),
                *("?" if row.would_show is None else row.would_show, row.difference or "?"),
                *(row.lane or "-", f"{row.known_at:%m-%d %H:%M}" if row.known_at else "never"),
            )
            for row in rows
        ],
    )
    typer.echo(
        f"\n{totals.listings} listings: {totals.agree} agree, {totals.would_rise} would rise,"
        f" {totals.would_fall} would fall ({totals.to_zero} to zero), {totals.unread} not read"
        f" yet; {totals.unlisted} discovered ones are not mapped"
    )


@channels.command()
def go(code: Code) -> None:
    """Let a shop go live: from now on our numbers are published to it."""
    from inventory import connections

    async def live(database: Database) -> None:
        async with database.transaction() as session:
            await connections.go_live(session, code, by=by_me(), now=now())

    run(live)
    typer.echo(f"{code} is live; freeze it to stop (POST /v1/channels/{code}/freeze)")
