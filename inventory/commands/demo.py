"""The demo: a sale night at the sandbox."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from inventory.commands.written import ReportOut, will_be_written

BooksOut = Annotated[
    Path | None, typer.Option(help="Write the sandbox's own books.", callback=will_be_written)
]


class Scenario(StrEnum):
    """What goes wrong in the night: `sale` is damage, `shortage` a stock-take error."""

    SALE = "sale"
    SHORTAGE = "shortage"


def demo(
    *,
    scenario: Annotated[
        Scenario, typer.Option(help="sale: damage on every channel; shortage: three wrong shelves.")
    ] = Scenario.SALE,
    seed: Annotated[int, typer.Option(help="The same seed brings the same shoppers.")] = 1,
    seconds: Annotated[float, typer.Option(help="How long people shop.", min=10, max=3600)] = 60,
    orders_per_second: Annotated[
        float, typer.Option(help="Mean over all channels.", min=0.1, max=20)
    ] = 2.0,
    report: ReportOut = None,
    books: BooksOut = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Keep database and logs here afterwards.")
    ] = None,
    json_out: Annotated[
        bool, typer.Option("--json", help="Write the report to standard output.")
    ] = False,
) -> None:
    """Run a sale night: four marketplaces, real servers, shoppers, damage, and the books after it.

    Exit code 1 when a law was broken, the books do not agree, or a case is not confirmed.
    """
    from inventory.demo import night, shortage
    from inventory.demo import report as reports
    from inventory.processes import ProcessError

    _must_be_empty(data_dir)
    plan = night.Plan(seed=seed, seconds=seconds, orders_per_second=orders_per_second)
    kind = shortage.ShortNight if scenario is Scenario.SHORTAGE else night.Night
    try:
        figures, marketplace_books = night.run(plan, data_dir=data_dir, scenario=kind)
    except (ProcessError, RuntimeError, TimeoutError) as error:
        typer.echo(f"hikiate: {error}", err=True)
        raise typer.Exit(1) from error
    _write(report, figures)
    _write(books, marketplace_books)
    typer.echo(_json(figures) if json_out else "\n".join(reports.sentences(figures)))
    if not reports.clean(figures):
        raise typer.Exit(1)


def _must_be_empty(folder: Path | None) -> None:
    if folder is None or not folder.exists():
        return
    if not folder.is_dir():
        raise typer.BadParameter(f"{folder} is not a folder")
    if any(folder.iterdir()):
        raise typer.BadParameter(f"{folder} is not empty; a night begins with nothing")


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, default=str)


def _write(path: Path | None, content: dict[str, Any]) -> None:
    if path is not None:
        path.write_text(_json(content) + "\n")
