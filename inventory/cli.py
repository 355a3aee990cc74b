"""The `hikiate` command: what people, CI and containers call."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import typer

from inventory import VERSION
from inventory.commands import (
    alerts,
    bench,
    buyers,
    buying,
    channel,
    channel_cutover,
    channel_listings,
    desk,
    exchange,
    failures,
    house,
    ledger,
    reconcile,
    report,
    soak,
    status,
    webhook,
    webhook_sent,
)
from inventory.commands import demo as demo_command
from inventory.commands.keys import keys

ROOT = Path(__file__).resolve().parent.parent
# What `hikiate lint` runs: a name for people, then arguments for this Python's own tools.
CHECKS = (
    ("ruff check", ("ruff", "check")),
    ("ruff format", ("ruff", "format", "--check")),
    ("mypy", ("mypy",)),
    ("import-linter", ("lint-imports", "--no-logo")),
)

app = typer.Typer(
    name="hikiate",
    help="Central stock ledger for one pile of stock sold on many channels.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


app.command()(demo_command.demo)
app.command()(house.up)
app.command()(house.sandbox)
app.command()(status.status)
app.command()(house.migrate)
app.command()(house.api)
app.command()(house.worker)
app.command()(house.beat)
app.add_typer(keys, name="key")
app.command()(reconcile.reconcile)
app.command()(reconcile.resync)
app.command()(soak.soak)
app.add_typer(ledger.ledger, name="ledger", no_args_is_help=True)
channel.channels.command()(channel_listings.discover)
channel.channels.command()(channel_listings.match)
channel.channels.command()(channel_cutover.cutover)
channel.channels.command()(channel_cutover.history)
app.add_typer(channel.channels, name="channel", no_args_is_help=True)
app.add_typer(exchange.imports, name="import", no_args_is_help=True)
app.add_typer(exchange.exports, name="export", no_args_is_help=True)
app.add_typer(bench.bench, name="bench", no_args_is_help=True)
app.add_typer(desk.oversells, name="oversell", no_args_is_help=True)
app.add_typer(desk.events, name="event", no_args_is_help=True)
app.add_typer(buyers.desk, name="desk", no_args_is_help=True)
app.add_typer(report.reports, name="report", no_args_is_help=True)
app.add_typer(alerts.alerts, name="alert", no_args_is_help=True)
app.add_typer(buying.teams, name="team", no_args_is_help=True)
app.add_typer(buying.suppliers, name="supplier", no_args_is_help=True)
app.add_typer(buying.buying, name="buying", no_args_is_help=True)
webhook.webhooks.command()(webhook_sent.replay)
webhook.webhooks.command()(webhook_sent.log)
webhook.webhooks.command()(webhook_sent.tries)
webhook.webhooks.command("test")(webhook_sent.send_test)
app.add_typer(webhook.webhooks, name="webhook", no_args_is_help=True)


def checkout() -> Path:
    """The checkout this code runs from; ends the command where it is an installed package."""
    if not (ROOT / "pyproject.toml").exists():
        raise typer.BadParameter("this command needs a checkout of the project")
    return ROOT


def main() -> None:
    """Entry point of the installed `hikiate` script and of `python -m inventory`.

    What ends a command is said in one line: exit code 2 where something was asked wrongly, 1 where
    something did not work. Only a mistake of ours shows where it happened.
    """
    wrong = failures.unreadable(sys.argv[1:])
    if wrong is not None:
        typer.echo(f"hikiate: {wrong}", err=True)
        sys.exit(failures.ASKED_WRONGLY)
    try:
        app(prog_name="hikiate")
    except Exception as error:
        known = failures.said(error)
        if known is None:
            raise
        line, code = known
        typer.echo(f"hikiate: {line}", err=True)
        sys.exit(code)


# "hikiate test -k ledger" and "hikiate test --lf": whatever is not ours goes on to pytest.
@app.command(
    context_settings={
        "allow_extra_args": True,
        "allow_interspersed_args": False,
        "help_option_names": [],
        "ignore_unknown_options": True,
    }
)
def test(context: typer.Context) -> None:
    """Run the test suite of this checkout; arguments go to pytest, whose exit code it returns."""
    os.chdir(checkout())
    os.execv(sys.executable, [sys.executable, "-P", "-m", "pytest", *context.args])


@app.command()
def lint() -> None:
    """Check rules, format, types and import directions; exit code 1 if any of them failed."""
    root, failed = checkout(), []
    for name, (tool, *arguments) in CHECKS:
        typer.echo(f"== {name}", err=True)
        program = str(Path(sys.executable).with_name(tool))
        if subprocess.run([program, *arguments], cwd=root, check=False).returncode:
            failed.append(name)
    if failed:
        typer.echo(f"failed: {', '.join(failed)}", err=True)
        raise typer.Exit(1)
    typer.echo("lint: all clean", err=True)


@app.command()
def version() -> None:
    """Print the version of Hikiate and of the Python it runs on."""
    typer.echo(f"hikiate {VERSION} (Python {platform.python_version()})")
