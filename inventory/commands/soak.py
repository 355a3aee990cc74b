"""The soak: the ledger against its model and under kills, for as long as one likes."""

from __future__ import annotations

import os
import secrets
import sys
from typing import Annotated

import typer

from inventory.commands.written import ReportOut

SEED_MAX = 2**31 - 1


def soak(
    *,
    minutes: Annotated[
        float, typer.Option(help="How long drawn facts are told.", min=0, max=10_000)
    ] = 10,
    kills: Annotated[
        int, typer.Option(help="How often something is killed under load.", min=0, max=10_000)
    ] = 50,
    seed: Annotated[
        int | None, typer.Option(help="The same seed draws the same.", min=0, max=SEED_MAX)
    ] = None,
    report: ReportOut = None,
) -> None:
    """Try to break the ledger of this checkout: kills under load, then drawn facts and races.

    Kills end the API, sessions at their COMMIT and a durable PostgreSQL, and look for sales that
    were lost or counted twice. Drawn facts of every kind, repeats, lost connections and concurrent
    processes are compared with a plain model. Exit code 1 when something differs; the seed that is
    printed repeats it.
    """
    from inventory.cli import checkout

    root = checkout()
    arguments = ["--minutes", str(minutes), "--kills", str(kills)]
    arguments += ["--seed", str(secrets.randbelow(SEED_MAX) if seed is None else seed)]
    if report is not None:
        arguments += ["--report", str(report.resolve())]
    os.chdir(root)
    os.execv(sys.executable, [sys.executable, "-m", "tests.ledger.machine.soak", *arguments])
