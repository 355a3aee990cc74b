"""Commands of the buyers' team: teams that are told, suppliers, how SKUs are bought."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inventory.commands.asked import checked
from inventory.commands.buying_file import ROWS_MAX as FILE_ROWS_MAX
from inventory.commands.buying_file import rows_in
from inventory.commands.common import JsonOut, by_me, in_one, now, print_rows, run, write_json

if TYPE_CHECKING:
    from inventory.alerting.content import BuyerAdvice
    from inventory.alerting.suppliers import BuyingRow, SupplierRow
    from inventory.alerting.teams import TeamRow
    from inventory.db import Database

TEAM_HEADING = ("team", "name", "next", "after minutes", "digest over", "in minutes")
SUPPLIER_HEADING = ("supplier", "name", "lead days", "cover days")

teams = typer.Typer(help="Teams: who is told of alerts together, and who is next.")
suppliers = typer.Typer(help="Suppliers: lead time, and how long an order should last.")
buying = typer.Typer(help="How SKUs are bought: category, supplier, pack size; what to order.")

Code = Annotated[str, typer.Argument(metavar="CODE", help="Its code.")]
SkuCode = Annotated[str, typer.Argument(metavar="SKU", help="Its code.")]
Name = Annotated[str, typer.Option(help="For people.")]
File = Annotated[Path, typer.Argument(help="The file.", exists=True, dir_okay=False)]


@teams.command("list")
def list_teams(json_out: JsonOut = False) -> None:  # noqa: FBT002 -- a flag of the command line
    """Print every team."""
    from inventory.alerting.teams import teams as read_teams

    rows = in_one(read_teams)
    print_rows(rows, TEAM_HEADING, _team, none="there is no team", json_out=json_out)


def _team(row: TeamRow) -> Sequence[object]:
    following = row.escalates_to or "-"
    return row.code, row.name, following, row.escalate_minutes, row.digest_over, row.digest_minutes


@teams.command("put")
def put_team(
    code: Code,
    *,
    name: Name = "",
    next_team: Annotated[
        str | None, typer.Option("--next", help="The team that hears of what is not acknowledged.")
    ] = None,
    after: Annotated[int, typer.Option(help="After so many minutes.", min=1)] = 60,
    digest_over: Annotated[
        int, typer.Option(help="More messages than that become a digest.", min=0)
    ] = 5,
    digest_minutes: Annotated[int, typer.Option(help="Within so many minutes.", min=1)] = 15,
) -> None:
    """Add a team, or change it wholly."""
    from inventory.alerting.teams import TeamTerms
    from inventory.alerting.teams import put_team as put

    wish = {"name": name, "escalates_to": next_team, "escalate_minutes": after}
    wish |= {"digest_over": digest_over, "digest_minutes": digest_minutes}
    terms = checked(wish, TeamTerms)

    in_one(lambda session: put(session, _checked_code(code), terms, by=by_me(), now=now()))
    typer.echo(f"team {code} is set")


@teams.command("remove")
def remove_team(code: Code) -> None:
    """Remove a team that no team, endpoint, rule or open alert names."""
    from inventory.alerting.teams import remove_team as remove

    in_one(lambda session: remove(session, code, by=by_me(), now=now()))
    typer.echo(f"team {code} is removed")


def _checked_code(code: str) -> str:
    from inventory.fields import Code as CodeField

    return str(checked(code, CodeField))


@suppliers.command("list")
def list_suppliers(json_out: JsonOut = False) -> None:  # noqa: FBT002 -- a flag of the command line
    """Print every supplier."""
    from inventory.alerting.suppliers import suppliers as read_suppliers

    rows = in_one(lambda session: read_suppliers(session, limit=FILE_ROWS_MAX))
    print_rows(rows, SUPPLIER_HEADING, _supplier, none="there is no supplier", json_out=json_out)


def _supplier(row: SupplierRow) -> Sequence[object]:
    return row.code, row.name, "-" if row.lead_days is None else row.lead_days, row.cover_days


@suppliers.command("put")
def put_supplier(
    code: Code,
    *,
    name: Name = "",
    lead_days: Annotated[
        int | None, typer.Option(help="Days from the order to the shelf.", min=0, max=365)
    ] = None,
    cover_days: Annotated[
        int, typer.Option(help="How many days an order should last.", min=1, max=365)
    ] = 28,
) -> None:
    """Add a supplier, or change it wholly; its SKUs are judged anew."""
    from inventory.alerting.suppliers import SupplierTerms
    from inventory.alerting.suppliers import put_supplier as put

    wish = {"name": name, "lead_days": lead_days, "cover_days": cover_days}
    terms = checked(wish, SupplierTerms)

    in_one(lambda session: put(session, _checked_code(code), terms, by=by_me(), now=now()))
    typer.echo(f"supplier {code} is set")


@suppliers.command("remove")
def remove_supplier(code: Code) -> None:
    """Remove a supplier that no rule names and from whom no SKU is bought."""
    from inventory.alerting.suppliers import remove_supplier as remove

    in_one(lambda session: remove(session, code, by=by_me(), now=now()))
    typer.echo(f"supplier {code} is removed")


@buying.command("show")
def show_buying(sku: SkuCode) -> None:
    """Print what a buyer can act on now: pace, cover, what comes, what to order, as JSON."""
    from inventory import catalogue
    from inventory.alerting.content import advice

    async def read(database: Database) -> BuyerAdvice:
        async with database.sessions() as session:
            found = await catalogue.sku_by_code(session, sku)
            return (await advice(session, [found.id], now()))[found.id]

    write_json(run(read))


@buying.command("put")
def put_buying(
    sku: SkuCode,
    *,
    category: Annotated[str | None, typer.Option(help="What kind of thing it is.")] = None,
    supplier: Annotated[str | None, typer.Option(help="The supplier's code.")] = None,
    pack_size: Annotated[int, typer.Option(help="Units in one pack.", min=1)] = 1,
) -> None:
    """Say how a SKU is bought, wholly; it is judged anew."""
    from inventory.alerting.suppliers import BuyingRow

    wish = {"sku": sku, "category": category, "supplier": supplier, "pack_size": pack_size}
    _put([checked(wish, BuyingRow)])
    typer.echo(f"{sku} is set")


@buying.command("import")
def import_buying(file: File) -> None:
    """Say how SKUs are bought: CSV in UTF-8, headed sku,category,supplier,pack_size.

    All of the file or nothing. An empty cell is no category, no supplier, packs of one.
    """
    rows = rows_in(file)
    _put(rows)
    typer.echo(f"{len(rows)} SKUs are set")


def _put(rows: Sequence[BuyingRow]) -> None:
    from inventory.alerting.suppliers import ROWS_MAX, put_terms

    async def work(database: Database) -> None:
        async with database.transaction() as session:
            for start in range(0, len(rows), ROWS_MAX):
                some = rows[start : start + ROWS_MAX]
                await put_terms(session, some, by=by_me(), now=now())

    run(work)
