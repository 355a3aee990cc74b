"""Commands of the order desk: oversell cases, their cancellations, and parked events."""

from __future__ import annotations

import asyncio
import getpass
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inventory.commands.house import JsonOut, settings_here

if TYPE_CHECKING:
    from inventory.db import Database

ROWS_MAX = 100
NEWEST = 2**62

oversells = typer.Typer(help="Oversell cases and the orders given up for them.")
events = typer.Typer(help="What channels told us and a person must look at.")

Id = Annotated[int, typer.Argument(help="Its number.", min=1)]


def _with_database(work: Callable[[Database], Awaitable[Any]]) -> Any:
    from inventory.db import Database

    async def run() -> Any:
        database = Database(settings_here().database_url)
        try:
            return await work(database)
        finally:
            await database.aclose()

    return asyncio.run(run())


def _show(found: Any) -> None:
    import msgspec

    typer.echo(json.dumps(msgspec.to_builtins(found), indent=2, ensure_ascii=False))


@oversells.command("list")
def list_oversells(
    state: Annotated[str, typer.Option(help="open or closed.")] = "open",
) -> None:
    """Print the newest cases of a state, one a line."""
    from inventory.reports import desk

    async def read(database: Database) -> Any:
        async with database.sessions() as session:
            return await desk.oversells(session, state=state, before_id=NEWEST, limit=ROWS_MAX)

    for case in _with_database(read):
        typer.echo(f"{case.id}  {case.sku}  short {case.shortage}  {case.state} {case.opened_at}")


@oversells.command("show")
def show_oversell(
    oversell_id: Id,
    json_out: JsonOut = False,  # noqa: FBT002 -- a flag of the command line
) -> None:
    """Print one oversell as one story: sales, listings, the delay, the decision, the cost.

    Times are the shop's, Asia/Tokyo; as JSON they are UTC.
    """
    from inventory.clock import Clock
    from inventory.story import lines, oversell

    async def read(database: Database) -> Any:
        async with database.sessions() as session:
            return await oversell.tell(session, oversell_id, Clock().now())

    told = _with_database(read)
    if json_out:
        _show(told)
        return
    for line in lines.lines(told):
        typer.echo(line)


@oversells.command()
def approve(cancellation_id: Id) -> None:
    """Give an order up: the desk cancels it at its channel with the reason proposed."""
    _decide(cancellation_id, agreed=True)


@oversells.command()
def refuse(cancellation_id: Id) -> None:
    """Keep an order; its shipping hold ends and the desk looks for another."""
    _decide(cancellation_id, agreed=False)


def _decide(cancellation_id: int, *, agreed: bool) -> None:
    from inventory.clock import Clock
    from inventory.desk.cancellations import decide_cancellation
    from inventory.reports import desk

    async def decide(database: Database) -> Any:
        async with database.transaction() as session:
            await decide_cancellation(
                session,
                cancellation_id,
                approve=agreed,
                by=f"command line, {getpass.getuser()}",
                now=Clock().now(),
            )
            await session.flush()
            return await desk.cancellation(session, cancellation_id)

    _show(_with_database(decide))


@events.command("list")
def list_events(
    state: Annotated[str, typer.Option(help="new, parked, conflict or handled.")] = "parked",
) -> None:
    """Print the newest events of a state, one a line."""
    from sqlalchemy import select

    from inventory.models import Channel, InboundEvent

    async def read(database: Database) -> Any:
        async with database.sessions() as session:
            found = await session.execute(
                select(InboundEvent, Channel.code)
                .join(Channel, Channel.id == InboundEvent.channel_id)
                .where(InboundEvent.state == state)
                .order_by(InboundEvent.id.desc())
                .limit(ROWS_MAX)
            )
            return list(found)

    found = _with_database(read)
    for event, channel in found:
        typer.echo(f"{event.id}  {channel}  {event.subject}  {event.code}  {event.detail}")
    if not found:
        typer.echo(f"no event is {state}", err=True)


@events.command()
def replay(event_id: Id) -> None:
    """Handle a parked event once more; exit code 1 when it had to be parked again."""
    from inventory.clock import Clock
    from inventory.inbox import Inbox
    from inventory.ledger import Ledger

    async def handle(database: Database) -> Any:
        clock = Clock()
        return await Inbox(database, Ledger(database, clock), clock).replay(event_id)

    replayed = _with_database(handle)
    _show(replayed)
    if replayed.state != "handled":
        raise typer.Exit(1)
