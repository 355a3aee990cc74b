"""Commands that report: the penalty record over a period, and what one more would do."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from inventory.commands.common import JsonOut, now, print_table, run, tokyo, write_json
from inventory.commands.written import will_be_written

if TYPE_CHECKING:
    from inventory.db import Database
    from inventory.penalty_record.dry_run import DryRun
    from inventory.penalty_record.report import ChannelPenalties, PenaltyReport

TOKYO = ZoneInfo("Asia/Tokyo")
DAYS_TAIL = ("orders", "ended", "counted", "complete")

reports = typer.Typer(help="Reports about the past, and questions about what would be.")

PeriodName = Annotated[str, typer.Option(help="week or month: 7 or 30 days.")]
LastDay = Annotated[
    str | None, typer.Option(help="The last day, such as 2026-11-20, Tokyo; today if none.")
]
OneChannel = Annotated[str | None, typer.Option(help="Only this channel's code.")]
CsvOut = Annotated[str | None, typer.Option("--csv", help="Write a table there, or - .")]
TableName = Annotated[str, typer.Option(help="Which table --csv writes: rates, causes, entries.")]
ChartOut = Annotated[
    str | None, typer.Option(help="Write a chart there: a name that ends in .svg or .html.")
]


@reports.command("penalties")
def penalties(
    period: PeriodName = "week",
    last_day: LastDay = None,
    channel: OneChannel = None,
    csv_out: CsvOut = None,
    table: TableName = "rates",
    chart: ChartOut = None,
    json_out: JsonOut = False,  # noqa: FBT002 -- a flag of the command line
) -> None:
    """Print what ended orders did to each metric, day by day, with headroom, causes and cost."""
    from inventory.penalty_record.tables import Table

    if table not in set(Table):
        raise typer.BadParameter(f"table must be one of {', '.join(Table)}")
    if csv_out == "-" and json_out:
        raise typer.BadParameter("--csv - and --json both write to standard output: take one")
    if csv_out == "":
        raise typer.BadParameter("--csv needs a file's name, or -")
    format_ = None if chart is None else _chart_format(chart)
    for name in (csv_out, chart):
        if name and name != "-":
            will_be_written(Path(name))
    chosen = (_period(period), _day(last_day), channel)
    report, rows = run(lambda database: _read(database, *chosen, table if csv_out else None))
    if csv_out:
        from inventory.penalty_record import tables

        _write(csv_out, tables.as_csv(tables.heading_of(Table(table)), rows))
    if chart and format_:
        from inventory.penalty_record import chart as penalty_chart

        _write(chart, penalty_chart.drawn(report, penalty_chart.Format(format_)))
    if json_out:
        write_json(report)
    elif csv_out != "-":
        _print_report(report)


def _period(name: str) -> Any:
    from inventory.penalty_record.report import Period

    if name not in set(Period):
        raise typer.BadParameter(f"period must be one of {', '.join(Period)}")
    return Period(name)


def _day(entered: str | None) -> date | None:
    from inventory.errors import BadInput

    try:
        return None if entered is None else date.fromisoformat(entered)
    except ValueError:
        raise BadInput(f"{entered!r} is no day: write it as 2026-11-20") from None


def _chart_format(name: str) -> str:
    from inventory.penalty_record.chart import Format

    ending = Path(name).suffix.removeprefix(".").lower()
    if ending not in set(Format):
        raise typer.BadParameter("a chart's name ends in .svg or .html")
    return ending


async def _read(
    database: Database, period: Any, last_day: date | None, channel: str | None, table: str | None
) -> tuple[PenaltyReport, Any]:
    from inventory.penalty_record import report as penalty_report
    from inventory.penalty_record import tables

    async with database.sessions() as session:
        report = await penalty_report.report(
            session, period=period, now=now(), last_day=last_day, channel=channel
        )
        if table is None:
            return report, []
        return report, await tables.rows_of(session, report, tables.Table(table))


def _write(name: str, content: str) -> None:
    """A file is put in its place when it is whole."""
    if name == "-":
        typer.echo(content, nl=False)
        return
    unfinished = Path(f"{name}.part")
    try:
        unfinished.write_text(content, encoding="utf-8", newline="")
        unfinished.replace(name)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    typer.echo(f"{len(content)} characters in {name}", err=True)


def _print_report(report: PenaltyReport) -> None:
    from inventory.penalty_record import tables

    typer.echo(
        f"penalties of {report.first_day} to {report.last_day}, Tokyo days;"
        f" as of {tokyo(report.as_of)} (Tokyo)"
    )
    if not report.channels:
        typer.echo("\nno channel is connected")
    for each in report.channels:
        typer.echo(f"\n{each.channel} ({each.kind})")
        for said in tables.sentences(each):
            typer.echo(f"  {said}")
        print_table(*_days(each))
    typer.echo("\nends by SKU and cause")
    if not report.causes:
        typer.echo("  none in this period")
    else:
        print_table(tables.CAUSES, [_blank(row) for row in tables.causes(report)])
    for number, what in (
        (report.causes_left_out, "rows of causes"),
        (report.channels_left_out, "channels"),
    ):
        if number:
            typer.echo(f"{number} {what} are left out here; name a channel")


def _days(channel: ChannelPenalties) -> tuple[list[str], list[list[object]]]:
    """A channel's days in fewer than 80 columns: what is the same every day stands above them."""
    from inventory.penalty_record.words import figure, unit_shown

    unit = f" ({unit_shown(channel.now.unit)})" if channel.now else ""
    heading = ["day", f"value{unit}", "limit", "headroom", *DAYS_TAIL]
    rows: list[list[object]] = []
    for day in channel.days:
        told: list[object] = [None, None, None]
        complete = "-"
        if day.metric is not None:
            given = (day.metric.value, day.metric.limit)
            told = [None if each is None else figure(each) for each in given]
            told.append(day.metric.headroom)
            complete = "yes" if day.metric.history_complete else "no"
        rows.append(_blank([day.day, *told, day.orders, day.ended, day.counted, complete]))
    return heading, rows


def _blank(row: Any) -> list[object]:
    """What is unknown is a dash."""
    return ["-" if cell is None or cell == "" else cell for cell in row]


@reports.command("dry-run")
def dry_run(
    channel: Annotated[str, typer.Argument(help="The channel's code.")],
    order_ref: Annotated[str, typer.Argument(metavar="ORDER", help="The channel's name for it.")],
    json_out: JsonOut = False,  # noqa: FBT002 -- a flag of the command line
) -> None:
    """Print what giving an order up for want of stock would do. Nothing is changed or sent."""
    from inventory.penalty_record import dry_run as penalty_dry_run
    from inventory.penalty_record import entries

    async def ask(database: Database) -> DryRun:
        async with database.sessions() as session:
            return await penalty_dry_run.dry_run(session, channel, order_ref, now())

    found = run(ask)
    if json_out:
        write_json(found)
        return
    typer.echo(found.sentence)
    typer.echo(f"  now: {found.headroom_before}")
    typer.echo(f"  then: {found.headroom_after}")
    worth = "unknown" if found.worth_yen is None else f"{found.worth_yen:,} yen"
    line = f"  the order is worth {worth}"
    total, parts = entries.total_of(found.cost), entries.parts_of(found.cost)
    cost = "what it costs is not known" if total is None else f"it costs {total:,} yen"
    if any(parts.values()):
        cost += f" ({entries.in_words(parts)})"
    # What has ended costs nothing more; its entry says what it did cost.
    typer.echo(line if found.state == "cancelled" else f"{line}; {cost}")
    for back in found.stock:
        typer.echo(
            f"  {back.sku}: {back.units} units come back,"
            f" available {back.available} → {back.available_after}"
        )
    if found.recorded:
        entry = f", penalty entry {found.penalty}" if found.penalty else ""
        typer.echo(f"  there is a cancellation of it already: {found.recorded}{entry}")
