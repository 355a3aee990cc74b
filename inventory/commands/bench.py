"""Commands that measure, on servers of their own."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from inventory.commands.written import ReportOut

bench = typer.Typer(help="Measure how fast it is on this machine.")


@bench.callback()
def _group() -> None:
    """Measure how fast it is on this machine."""


@bench.command()
def ledger(
    *,
    quick: Annotated[
        bool, typer.Option("--quick", help="Only what is behind the ten ratios (4 minutes).")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Also a mass expiry and 20 million movements.")
    ] = False,
    report: ReportOut = None,
    json_out: Annotated[
        bool, typer.Option("--json", help="Write the report to standard output.")
    ] = False,
) -> None:
    """Measure the ledger beside the limit of PostgreSQL and beside ordinary ways; books checked.

    Exit code 1 when the books of a measurement do not agree, or there was a deadlock.
    """
    from inventory.bench import run as runs
    from inventory.bench import show
    from inventory.bench.plan import Mode
    from inventory.errors import WrongState
    from inventory.processes import ProcessError

    if quick and full:
        raise typer.BadParameter("choose --quick or --full")
    mode = Mode.QUICK if quick else Mode.FULL if full else Mode.ORDINARY
    try:
        found = runs.run(mode, lambda text: typer.echo(text, err=True))
    except (ProcessError, WrongState) as error:
        typer.echo(f"hikiate: {error}", err=True)
        raise typer.Exit(1) from error
    text = json.dumps(found.as_json(), indent=2)
    if report is not None:
        report.write_text(text + "\n")
    typer.echo(text if json_out else "\n".join(show.lines(found)))
    if not found.ok:
        raise typer.Exit(1)


@bench.command()
def channels(
    *,
    channel: Annotated[
        list[str] | None, typer.Option(help="Only this kind; may be given more than once.")
    ] = None,
    listings: Annotated[
        int | None,
        typer.Option(min=1, help="Only a resync of so many listings, with a sale in its middle."),
    ] = None,
    report: ReportOut = None,
    json_out: Annotated[
        bool, typer.Option("--json", help="Write the report to standard output.")
    ] = False,
) -> None:
    """Measure how much of what each marketplace permits is used, at the sandbox (10 minutes).

    Exit code 1 when a marketplace counted a call as too many.
    """
    from inventory.bench.channels import report as reports
    from inventory.bench.channels import run as runs
    from inventory.bench.channels.bounds import KINDS
    from inventory.errors import WrongState
    from inventory.processes import ProcessError

    unknown = sorted(set(channel or ()) - set(KINDS))
    if unknown:
        raise typer.BadParameter(f"no such kind: {', '.join(unknown)}; there are {KINDS}")
    kinds = tuple(kind for kind in KINDS if not channel or kind in channel)
    try:
        found = runs.run(kinds, lambda text: typer.echo(text, err=True), listings=listings)
    except (ProcessError, RuntimeError, WrongState) as error:
        typer.echo(f"hikiate: {error}", err=True)
        raise typer.Exit(1) from error
    text = json.dumps(found.as_json(), indent=2)
    if report is not None:
        report.write_text(text + "\n")
    typer.echo(text if json_out else "\n".join(reports.lines(found)))
    if not found.ok:
        raise typer.Exit(1)


@bench.command()
def webhooks(
    *,
    rounds: Annotated[
        int, typer.Option(min=1, max=60, help="Rounds with and as many without dead endpoints.")
    ] = 6,
    report: ReportOut = None,
    json_out: Annotated[
        bool, typer.Option("--json", help="Write the report to standard output.")
    ] = False,
) -> None:
    """Measure how much 10 % dead endpoints slow the living down, side by side (3 minutes).

    Exit code 1 when a message to a living endpoint was lost.
    """
    from inventory.bench import webhooks as runs
    from inventory.errors import WrongState
    from inventory.processes import ProcessError

    try:
        found = runs.run(lambda text: typer.echo(text, err=True), rounds=rounds)
    except (ProcessError, WrongState) as error:
        typer.echo(f"hikiate: {error}", err=True)
        raise typer.Exit(1) from error
    text = json.dumps(found.as_json(), indent=2, default=str)
    if report is not None:
        report.write_text(text + "\n")
    typer.echo(text if json_out else "\n".join(found.lines()))
    if not found.ok:
        raise typer.Exit(1)
