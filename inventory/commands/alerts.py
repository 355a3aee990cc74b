"""Commands about alerts: what fired, who takes care of it, what is watched."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from inventory.commands.asked import ID_MAX, SMALL_ID_MAX, checked
from inventory.commands.common import (
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
    from inventory.alerting.people import AlertRow
    from inventory.alerting.rules import RuleRow
    from inventory.db import Database

ROWS_MAX = 100
NEWEST = 2**62
HEADING = ("id", "kind", "subject", "team", "available", "a day", "cover", "order by", "order")
RULE_HEADING = ("id", "kind", "about", "level", "margin", "team")

alerts = typer.Typer(help="Alerts: what fired, who takes care of it, what is watched.")

AlertId = Annotated[int, typer.Argument(metavar="ALERT", help="Its number.", min=1, max=ID_MAX)]
RuleId = Annotated[int, typer.Argument(metavar="RULE", help="Its number.", min=1, max=SMALL_ID_MAX)]
State = Annotated[Literal["open", "closed"], typer.Option(help="open or closed.")]
Team = Annotated[str | None, typer.Option(help="The team that is told.")]
Kind = Annotated[
    str,
    typer.Option(
        help="low_stock, low_cover, stock_out, oversell, key_expiring, channel_silent, drift"
        " or sync_health."
    ),
]
Level = Annotated[
    int | None, typer.Option(help="Units, days of cover, or days ahead of a stock-out.", min=0)
]
Margin = Annotated[
    int | None, typer.Option(help="How far above the level it ends; else a fifth of it.", min=0)
]
Sku = Annotated[str | None, typer.Option(help="Only this SKU.")]
Category = Annotated[str | None, typer.Option(help="Only SKUs of this category.")]
Supplier = Annotated[str | None, typer.Option(help="Only SKUs of this supplier.")]
Hours = Annotated[float, typer.Option(help="For how long, 90 days at most.", min=0.01, max=2160)]


@alerts.command("list")
def list_alerts(
    state: State = "open",
    team: Team = None,
    json_out: JsonOut = False,  # noqa: FBT002 -- a flag of the command line
) -> None:
    """Print the newest alerts of a state, each with what a buyer can act on now."""
    from inventory.alerting import people

    async def read(database: Database) -> list[AlertRow]:
        which = people.Which(state=state, team=team)
        async with database.sessions() as session:
            return await people.rows(session, which, before_id=NEWEST, limit=ROWS_MAX, now=now())

    rows = run(read)
    whose = "" if team is None else f" for team {team}"
    print_rows(rows, HEADING, _line, none=f"no alert is {state}{whose}", json_out=json_out)


def _line(row: AlertRow) -> Sequence[object]:
    found = row.advice
    if found is None:
        return row.id, row.kind, row.subject, row.team or "-", *["-"] * 5
    figures = (found.sold_per_day, found.days_of_cover, found.order_by, found.suggested_quantity)
    shown = ("-" if figure is None else figure for figure in figures)
    return row.id, row.kind, row.subject, row.team or "-", found.available, *shown


@alerts.command("show")
def show_alert(alert_id: AlertId) -> None:
    """Print one alert with all that a buyer can act on, as JSON."""
    from inventory.alerting import people

    async def read(database: Database) -> AlertRow:
        async with database.sessions() as session:
            return await people.one(session, alert_id, now())

    write_json(run(read))


@alerts.command("ack")
def acknowledge(alert_id: AlertId) -> None:
    """Take care of an alert: it is not escalated."""
    from inventory.alerting import people

    async def work(database: Database) -> AlertRow:
        async with database.transaction() as session:
            await people.acknowledge(session, alert_id, by=by_me(), now=now())
            return await people.one(session, alert_id, now())

    row = run(work)
    at = "-" if row.acknowledged_at is None else tokyo(row.acknowledged_at)
    typer.echo(f"{row.subject}: acknowledged by {row.acknowledged_by} at {at} (Tokyo)")


@alerts.command("snooze")
def snooze(alert_id: AlertId, hours: Hours = 24.0) -> None:
    """Say nothing of an alert for a while; what is still open then is told again."""
    from inventory.alerting import people

    until = now() + timedelta(hours=hours)

    async def work(database: Database) -> datetime:
        async with database.transaction() as session:
            await people.snooze(session, alert_id, until=until, by=by_me(), now=now())
        return until

    typer.echo(f"nothing is said of it until {tokyo(run(work))} (Tokyo)")


@alerts.command("rules")
def list_rules(json_out: JsonOut = False) -> None:  # noqa: FBT002 -- a flag of the command line
    """Print what is watched."""
    from inventory.alerting import rules

    async def read(database: Database) -> list[RuleRow]:
        async with database.sessions() as session:
            return await rules.rules(session, limit=10_000)

    rows = run(read)
    print_rows(rows, RULE_HEADING, _rule, none="nothing is watched", json_out=json_out)


def _rule(row: RuleRow) -> Sequence[object]:
    about = {"sku": row.sku, "category": row.category, "supplier": row.supplier}
    named = [f"{name} {value}" for name, value in about.items() if value is not None]
    level = "-" if row.level is None else row.level
    margin = "-" if row.clear_margin is None else row.clear_margin
    return row.id, row.kind, *(named or ["everything"]), level, margin, row.team or "-"


@alerts.command("watch")
def add_rule(
    *,
    kind: Kind = "low_stock",
    level: Level = None,
    margin: Margin = None,
    sku: Sku = None,
    category: Category = None,
    supplier: Supplier = None,
    team: Team = None,
) -> None:
    """Watch a level, or say which team is told; what has crossed it already fires at once."""
    from inventory.alerting import rules
    from inventory.alerting.rules import NewRule

    wish = {"kind": kind, "level": level, "clear_margin": margin, "sku": sku}
    wish |= {"category": category, "supplier": supplier, "team": team}
    new: NewRule = checked(wish, NewRule)

    async def work(database: Database) -> int:
        async with database.transaction() as session:
            return await rules.add_rule(session, new, by=by_me(), now=now())

    typer.echo(f"rule {run(work)}")


@alerts.command("unwatch")
def remove_rule(rule_id: RuleId) -> None:
    """Switch a rule off; the alerts that it has open are closed."""
    from inventory.alerting import rules

    in_one(lambda session: rules.remove_rule(session, rule_id, by=by_me(), now=now()))
    typer.echo(f"rule {rule_id} is off")
