"""Commands about what a shop has on sale: read it from the shop, match it with our SKUs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inventory.commands.channel import Code, channel_id_of, run_runtime
from inventory.commands.common import JsonOut, by_me, now, print_table, run

if TYPE_CHECKING:
    from inventory.db import Database
    from inventory.matches import Applied
    from inventory.matching import MatchRow
    from workers.runtime import Runtime

ROWS_PRINTED = 50
HEADING = ("listing", "state", "SKU", "by the code", "shows", "title")

Apply = Annotated[bool, typer.Option("--apply", help="Put what matches to use.")]
Duplicates = Annotated[
    bool, typer.Option("--duplicates", help="With --apply: also several listings of one SKU.")
]
Pick = Annotated[
    list[str] | None,
    typer.Option(help="With --apply: a person decided LISTING=SKU; may be given again."),
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
    from inventory import matching

    picks = _picked(pick or ())
    if (picks or duplicates) and not apply:
        raise typer.BadParameter("--pick and --duplicates are used with --apply")

    async def work(database: Database) -> tuple[list[MatchRow], Applied | None, bool]:
        return await _match(database, code, apply=apply, duplicates=duplicates, picks=picks)

    rows, applied, shadow = run(work)
    counts = matching.counts(rows)
    if json_out:
        import msgspec

        found: Any = {"counts": counts, "listings": rows, "applied": applied}
        typer.echo(json.dumps(msgspec.to_builtins(found), ensure_ascii=False))
        return
    _print_rows(rows)
    typer.echo(", ".join(f"{count} {state}" for state, count in counts.items()))
    if applied is not None:
        typer.echo(
            f"{applied.created} listings made, {applied.changed} changed,"
            f" {applied.events} events handled once more"
        )
    for line in _next(code, counts, shadow=shadow):
        typer.echo(line)


def _print_rows(rows: Sequence[MatchRow]) -> None:
    """What is not in use yet: first what a person must decide, then what `--apply` will use."""
    from inventory.matching import Match

    open_rows = [row for row in rows if row.state not in {Match.MAPPED, Match.MATCHED}]
    # Codes that are not spelled as the SKU are the matches to look at.
    matched = sorted(
        (row for row in rows if row.state is Match.MATCHED), key=lambda row: row.by == row.sku
    )
    shown = [*open_rows, *matched]
    if not shown:
        return
    print_table(HEADING, [_line(row) for row in shown[:ROWS_PRINTED]])
    if len(shown) > ROWS_PRINTED:
        typer.echo(f"… and {len(shown) - ROWS_PRINTED} more (--json shows all)")
    typer.echo()


def _next(code: str, counts: dict[str, int], *, shadow: bool) -> list[str]:
    told = []
    if counts["matched"]:
        told.append(f"next, when it is right: hikiate channel match {code} --apply")
    if counts["unmatched"] + counts["ambiguous"]:
        told.append(
            f"the rest: hikiate channel match {code} --apply --pick LISTING=SKU, or a file:"
            f" hikiate import listings FILE --channel {code}"
        )
    if counts["duplicate"]:
        told.append("if duplicates are one SKU indeed: --apply --duplicates")
    if shadow and not told:
        told.append(f"next: hikiate channel cutover {code}")
    return told


def _picked(picks: Sequence[str]) -> dict[str, str]:
    # A channel SKU may have an equals sign in it, a SKU hardly ever.
    pairs = [each.rpartition("=") for each in picks]
    if any(not channel_sku or not sku for channel_sku, _, sku in pairs):
        raise typer.BadParameter("--pick is given as LISTING=SKU")
    return {channel_sku: sku for channel_sku, _, sku in pairs}


async def _match(
    database: Database, code: str, *, apply: bool, duplicates: bool, picks: dict[str, str]
) -> tuple[list[MatchRow], Applied | None, bool]:
    """What the listings are, what was put to use, and whether the shop was never live."""
    from inventory import matches
    from inventory.models import Channel

    applied = None
    channel_id = await channel_id_of(database, code)
    async with database.transaction() as session:
        if apply:
            applied = await matches.apply(
                session, channel_id, duplicates=duplicates, picks=picks, by=by_me(), now=now()
            )
        shadow = (await session.get_one(Channel, channel_id)).shadow
        return await matches.preview(session, channel_id), applied, shadow


def _line(row: MatchRow) -> tuple[object, ...]:
    sku = row.sku or " or ".join(row.candidates) or "-"
    shows = "-" if row.quantity is None else row.quantity
    return row.channel_sku, row.state.value, sku, row.by or "-", shows, row.title
