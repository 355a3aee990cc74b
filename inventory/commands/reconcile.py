"""Commands that compare channels with the ledger: a round of readings now, and a whole resync.

They ask, and the workers do it: a house must run.
"""

from __future__ import annotations

import asyncio
import getpass
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inventory.commands.common import JsonOut
from inventory.commands.house import settings_here

if TYPE_CHECKING:
    from inventory.db import Database
    from inventory.reconcile.rotation import Round

LOOK_SECONDS = 0.5
# Without any reading or push for so long, no worker is there, or the channel does not answer.
STILL_SECONDS = 90
ROWS_MAX = 500

Anew = Annotated[bool, typer.Option("--anew", help="Begin anew where one is under way.")]
Wait = Annotated[bool, typer.Option(help="Wait for the end and show how far it is.")]


def reconcile(
    channel: Annotated[str | None, typer.Option(help="Only this channel's code.")] = None,
    per_second: Annotated[
        int | None,
        typer.Option(help="From now on, most readings a second; 0: what the budget gives.", min=0),
    ] = None,
    json_out: JsonOut = False,  # noqa: FBT002 -- a flag of the command line
) -> None:
    """Read every number back once and show drift; exit code 1 if any, or if it came to no end."""
    cases, ended = asyncio.run(_reconcile(channel, per_second))
    if json_out:
        typer.echo(json.dumps({"ended": ended, "drift": cases}, indent=2, ensure_ascii=False))
    else:
        for case in cases:
            typer.echo(
                f"{case['channel']}  {case['channel_sku']}  {case['cause']}: {case['story']}"
            )
        typer.echo(f"{len(cases)} listings differ" + ("" if ended else "; the round has not ended"))
    if cases or not ended:
        raise typer.Exit(1)


async def _reconcile(code: str | None, per_second: int | None) -> tuple[list[Any], bool]:
    import msgspec

    from inventory.api.paging import ID_MAX
    from inventory.clock import Clock
    from inventory.db import Database
    from inventory.reconcile import rotation
    from inventory.reports import drift

    database = Database(settings_here().database_url)
    try:
        async with database.transaction() as session:
            codes = await rotation.ask(session, code, per_second=per_second, now=Clock().now())
        ended = await _watched(database, codes)
        async with database.sessions() as session:
            cases = await drift.drift(
                session, channel=code, open_=True, before_id=ID_MAX, limit=ROWS_MAX
            )
    finally:
        await database.aclose()
    return msgspec.to_builtins(cases), ended


async def _watched(database: Database, codes: Sequence[str]) -> bool:
    """Show how far the rounds are until all have ended; False when nothing moves any more."""
    from inventory.reconcile import rotation

    loop = asyncio.get_running_loop()
    moved, before = loop.time(), -1
    while True:
        async with database.sessions() as session:
            rounds = await rotation.rounds(session, codes)
        waiting = [each for each in rounds if each.asked_at is not None and each.listings]
        if not waiting:
            _say("")
            return True
        read = sum(each.readings for each in rounds)
        moved, before = (loop.time(), read) if read != before else (moved, before)
        _say("  ".join(_stand(each) for each in waiting))
        if loop.time() - moved > STILL_SECONDS:
            _say("")
            return False
        await asyncio.sleep(LOOK_SECONDS)


def _stand(each: Round) -> str:
    return f"{each.channel} {each.readings}/{each.listings}" + (
        f" ({each.failure})" if each.failure else ""
    )


def _say(line: str) -> None:
    """One line that is written anew, for people only."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{line}")
        sys.stderr.flush()


def resync(
    channel: Annotated[str, typer.Argument(help="The channel's code.")],
    anew: Anew = False,  # noqa: FBT002 -- a flag of the command line
    wait: Wait = True,  # noqa: FBT002 -- a flag of the command line
    json_out: JsonOut = False,  # noqa: FBT002 -- a flag of the command line
) -> None:
    """Push every listing of a channel again; interrupted, it goes on. Exit code 1 if stuck."""
    progress, ended = asyncio.run(_resync(channel, anew=anew, wait=wait))
    if json_out:
        typer.echo(json.dumps(progress, indent=2, ensure_ascii=False))
    else:
        typer.echo(_line(progress))
    if wait and not ended:
        raise typer.Exit(1)


async def _resync(code: str, *, anew: bool, wait: bool) -> tuple[dict[str, Any], bool]:
    import msgspec

    from inventory import resyncs
    from inventory.clock import Clock
    from inventory.db import Database

    clock, database = Clock(), Database(settings_here().database_url)
    try:
        by = f"command line, {getpass.getuser()}"
        async with database.transaction() as session:
            if anew or not await resyncs.under_way(session, code):
                await resyncs.start(session, code, by=by, now=clock.now())
        loop = asyncio.get_running_loop()
        moved, before = loop.time(), -1
        while True:
            async with database.sessions() as session:
                progress = await resyncs.progress(session, code, clock.now())
            found: dict[str, Any] = msgspec.to_builtins(progress)
            moved, before = (
                (loop.time(), progress.done) if progress.done != before else (moved, before)
            )
            still = loop.time() - moved > STILL_SECONDS
            if progress.ended_at is not None or still or not wait:
                _say("")
                return found, progress.ended_at is not None
            _say(_line(found))
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        await database.aclose()


def _line(progress: dict[str, Any]) -> str:
    left = progress["seconds_left"]
    tail = f", {left:.0f} s left" if left else ""
    frozen = ", frozen: nothing is sent" if progress["frozen"] else ""
    return (
        f"{progress['channel']}: {progress['done']} of {progress['total']} pushed,"
        f" {progress['per_second']} a second{tail}{frozen}"
    )
