"""Commands of the order desk: oversell cases, their cancellations, and parked events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from inventory.commands.asked import Number
from inventory.commands.common import (
    NEWEST,
    ROWS_MAX,
    JsonOut,
    by_me,
    in_one,
    now,
    print_rows,
    run,
    tokyo,
    write_json,
)

if TYPE_CHECKING:
    from inventory.db import Database
    from inventory.reports.desk import CancellationRow, EventRow, OversellRow

CASE_HEADING = ("case", "SKU", "short", "at most", "opened (Tokyo)", "closed (Tokyo)", "cause")
CANCELLATION_HEADING = (
    *("cancellation", "case", "channel", "order", "reason", "cost", "proposed (Tokyo)"),
    "decide by (Tokyo)",
)
EVENT_HEADING = ("event", "channel", "about", "received (Tokyo)", "why", "what")

oversells = typer.Typer(help="Oversell cases and the orders given up for them.")
events = typer.Typer(help="What channels told us and a person must look at.")

CaseState = Annotated[Literal["open", "closed"], typer.Option(help="open or closed.")]
CancellationState = Annotated[
    Literal["proposed", "approved", "refused", "submitted", "confirmed", "failed", "observed"],
    typer.Option(help="proposed ones wait for a decision."),
]
EventState = Annotated[
    Literal["new", "parked", "conflict", "handled"],
    typer.Option(help="new, parked, conflict or handled."),
]


@oversells.command("list")
def list_oversells(
    state: CaseState = "open",
    json_out: JsonOut = False,  # noqa: FBT002 -- a flag of the command line
) -> None:
    """Print the newest cases of a state, 100 at most."""
    from inventory.reports import desk

    found = in_one(
        lambda session: desk.oversells(session, state=state, before_id=NEWEST, limit=ROWS_MAX)
    )
    print_rows(found, CASE_HEADING, _case, none=f"no case is {state}", json_out=json_out)


def _case(case: OversellRow) -> list[object]:
    times = [tokyo(case.opened_at), tokyo(case.closed_at)]
    return [case.id, case.sku, case.shortage, case.shortage_max, *times, case.cause or "-"]


@oversells.command("cancellations")
def list_cancellations(
    state: CancellationState = "proposed",
    json_out: JsonOut = False,  # noqa: FBT002 -- a flag of the command line
) -> None:
    """Print the orders to be given up that wait for a decision, or those of another state."""
    from inventory.reports import desk

    found = in_one(
        lambda session: desk.cancellations(session, state=state, before_id=NEWEST, limit=ROWS_MAX)
    )
    print_rows(
        found,
        CANCELLATION_HEADING,
        _cancellation,
        none=f"no cancellation is {state}",
        json_out=json_out,
    )


def _cancellation(row: CancellationRow) -> list[object]:
    yen = (row.cost or {}).get("total_yen")
    cost = "-" if yen is None else f"{yen:,} yen"
    case = row.oversell_id or "-"
    who = [row.channel, row.order_ref, f"{row.reason} ({row.reason_code or '-'})"]
    return [row.id, case, *who, cost, tokyo(row.proposed_at), tokyo(row.decide_by)]


@oversells.command("show")
def show_oversell(
    oversell_id: Number,
    json_out: JsonOut = False,  # noqa: FBT002 -- a flag of the command line
) -> None:
    """Print one oversell as one story: sales, listings, the delay, the decision, the cost.

    Times are the shop's, Asia/Tokyo; as JSON they are UTC.
    """
    from inventory.story import lines, oversell

    async def read(database: Database) -> Any:
        async with database.sessions() as session:
            return await oversell.tell(session, oversell_id, now())

    told = run(read)
    if json_out:
        write_json(told)
        return
    for line in lines.lines(told):
        typer.echo(line)


@oversells.command()
def approve(cancellation_id: Number) -> None:
    """Give an order up: the desk cancels it at its channel with the reason proposed."""
    _decide(cancellation_id, agreed=True)


@oversells.command()
def refuse(cancellation_id: Number) -> None:
    """Keep an order; its shipping hold ends and the desk looks for another."""
    _decide(cancellation_id, agreed=False)


def _decide(cancellation_id: int, *, agreed: bool) -> None:
    from inventory.desk.cancellations import decide_cancellation
    from inventory.reports import desk

    async def decide(database: Database) -> Any:
        async with database.transaction() as session:
            await decide_cancellation(
                session,
                cancellation_id,
                approve=agreed,
                by=by_me(),
                now=now(),
            )
            await session.flush()
            return await desk.cancellation(session, cancellation_id)

    write_json(run(decide))


@events.command("list")
def list_events(
    state: EventState = "parked",
    json_out: JsonOut = False,  # noqa: FBT002 -- a flag of the command line
) -> None:
    """Print the newest events of a state, 100 at most."""
    from inventory.reports import desk

    found = in_one(
        lambda session: desk.events(
            session, state=state, channel=None, before_id=NEWEST, limit=ROWS_MAX
        )
    )
    print_rows(found, EVENT_HEADING, _event, none=f"no event is {state}", json_out=json_out)


def _event(row: EventRow) -> list[object]:
    received = tokyo(row.received_at)
    return [row.id, row.channel, row.subject, received, row.code or "-", row.detail or "-"]


@events.command()
def replay(event_id: Number) -> None:
    """Handle a parked event once more; exit code 1 when it had to be parked again."""
    from inventory.clock import Clock
    from inventory.inbox import Inbox
    from inventory.ledger import Ledger

    async def handle(database: Database) -> Any:
        clock = Clock()
        return await Inbox(database, Ledger(database, clock), clock).replay(event_id)

    replayed = run(handle)
    write_json(replayed)
    if replayed.state != "handled":
        raise typer.Exit(1)
