"""Commands about what a shop has on sale: read it from the shop, match it with our SKUs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inventory.commands.channel import Code, channel_id_of, run_runtime
from inventory.commands.exchange import by_me
from inventory.commands.house import JsonOut
from inventory.commands.ledger_months import now, print_table, run

if TYPE_CHECKING:
    from inventory.db import Database
    from inventory.matches import Applied
    from inventory.matching import MatchRow
    from workers.runtime import Runtime

ROWS_PRINTED = 20
HEADING = ("listing", "state", "SKU", "by the code", "shows", "title")

Apply = Annotated[bool, typer.Option("--apply", help="Put what matches to use.")]
Duplicates = Annotated[
    bool, typer.Option("--duplicates", help="Also where several listings are one SKU.")
]
Pick = Annotated[
    list[str] | None,
    typer.Option(help="What a person decided: CHANNEL_SKU=SKU; may be given again."),
]


def discover(code: Code) -> None:
    """Read what a shop has on sale, to its end, and keep it for matching."""
    from inventory.commands.progress import Progress
    from workers import onboarding

    async def read(runtime: Runtime) -> int:
        channel_id = await channel_id_of(runtime.database, code)
        progress = Progress()
        return await onboarding.discover(
            runtime, channel_id, lambda done, total: progress.tell("listings", done, total)
        )

    typer.echo(f"{run_runtime(read)} listings; next: hikiate channel match {code}")


def match(
    code: Code,
    apply: Apply = False,  # noqa: FBT002 -- a flag of the command line
    duplicates: Duplicates = False,  # noqa: FBT002 -- the same
    pick: Pick = None,
    json_out: JsonOut = False,  # noqa: FBT002 -- the same
) -> None:
    """Print which SKU each discovered listing is, by the codes that the shop wrote there.

    Nothing is used before `--apply`; ambiguous and unmatched listings wait for a `--pick`, an
    import, or a new SKU.
    """
    picks = _picked(pick or ())

    async def work(database: Database) -> tuple[list[MatchRow], Applied | None]:
        return await _match(database, code, apply=apply, duplicates=duplicates, picks=picks)

    rows, applied = run(work)
    from inventory import matching

    counts = matching.counts(rows)
    if json_out:
        import msgspec

        found: Any = {"counts": counts, "listings": rows, "applied": applied}
        typer.echo(json.dumps(msgspec.to_builtins(found), ensure_ascii=False))
        return
    open_rows = [row for row in rows if row.state not in {"mapped", "matched"}]
    print_table(HEADING, [_line(row) for row in open_rows[:ROWS_PRINTED]])
    if len(open_rows) > ROWS_PRINTED:
        typer.echo(f"… and {len(open_rows) - ROWS_PRINTED} more (--json shows all)")
    typer.echo("\n" + ", ".join(f"{count} {state}" for state, count in counts.items()))
    if applied is not None:
        typer.echo(
            f"{applied.created} listings made, {applied.changed} changed,"
            f" {applied.events} events handled once more"
        )


def _picked(picks: Sequence[str]) -> dict[str, str]:
    # A channel SKU may have an equals sign in it, a SKU hardly ever.
    pairs = [each.rpartition("=") for each in picks]
    if any(not channel_sku or not sku for channel_sku, _, sku in pairs):
        raise typer.BadParameter("--pick is given as CHANNEL_SKU=SKU")
    return {channel_sku: sku for channel_sku, _, sku in pairs}


async def _match(
    database: Database, code: str, *, apply: bool, duplicates: bool, picks: dict[str, str]
) -> tuple[list[MatchRow], Applied | None]:
    from inventory import connections, matches

    applied = None
    async with database.transaction() as session:
        channel = await connections.channel_by_code(session, code)
        if apply or picks:
            applied = await matches.apply(
                session, channel.id, duplicates=duplicates, picks=picks, by=by_me(), now=now()
            )
        return await matches.preview(session, channel.id), applied


def _line(row: MatchRow) -> tuple[object, ...]:
    sku = row.sku or " or ".join(row.candidates) or "-"
    return row.channel_sku, row.state.value, sku, row.by or "-", row.quantity or "-", row.title
