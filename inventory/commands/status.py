"""`hikiate status`: the house at a glance, and what is late in it."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import datetime
from typing import TYPE_CHECKING

import typer

from inventory.commands.common import JsonOut
from inventory.commands.house import settings_here

if TYPE_CHECKING:
    from rich.table import Table

    from inventory.health import Finding
    from inventory.reports.channels import ChannelStatus, Status

MINUTE, HOUR, DAY = 60, 3600, 86400
WIDTH_OF_FILES = 300
COLUMNS = {
    "shop": "left",
    "marketplace": "left",
    "publishing": "left",
    "orders known": "right",
    "listings": "right",
    "behind": "right",
    "orders today": "right",
    "units": "right",
    "numbers a minute": "right",
}


def status(json_out: JsonOut = False) -> None:  # noqa: FBT002 -- a flag of the command line
    """How the house is doing: channels, stale listings, what is late. Exit code 1 if late."""
    import msgspec

    figures, late = asyncio.run(_status())
    if json_out:
        said = {"status": msgspec.to_builtins(figures), "late": msgspec.to_builtins(late)}
        typer.echo(json.dumps(said))
    else:
        _print(figures, late)
    if any(not found.warning for found in late):
        raise typer.Exit(1)


async def _status() -> tuple[Status, list[Finding]]:
    from inventory import health
    from inventory.clock import Clock
    from inventory.db import Database
    from inventory.reports import channels

    settings = settings_here()
    database = Database(settings.database_url)
    try:
        async with database.sessions() as session:
            now = Clock().now()
            figures = await channels.status(session, now)
            late = await health.findings(session, settings, now)
    finally:
        await database.aclose()
    return figures, late


def _print(figures: Status, late: list[Finding]) -> None:
    from rich.console import Console

    # A file or a pipe has no width at which a row would have to be broken.
    width = None if sys.stdout.isatty() else WIDTH_OF_FILES
    console = Console(highlight=False, soft_wrap=True, width=width)
    if figures.frozen:
        console.print("publishing is stopped for the whole house", markup=False)
    if figures.channels:
        console.print(_table(figures))
    else:
        console.print("no shop is connected: hikiate channel add", markup=False)
    for channel in figures.channels:
        if channel.failure:
            since = age(channel.failing_since, figures.as_of)
            said = f"{channel.channel} fails since {since}: {channel.failure}"
            console.print(said, markup=False)
    waiting = {
        "events to handle": figures.events_new,
        "parked": figures.events_parked,
        "in conflict": figures.events_in_conflict,
        "oversell cases": figures.oversells_open,
        "cancellations to decide": figures.cancellations_proposed,
        "alerts": figures.alerts_open,
        "messages to deliver": figures.deliveries_pending,
        "given up": figures.deliveries_parked,
    }
    console.print(", ".join(f"{name} {count}" for name, count in waiting.items()), markup=False)
    for found in late:
        words = ("SOON" if found.warning else "LATE", found.what, found.channel, found.detail)
        console.print(" ".join(word for word in words if word), markup=False)


def _table(figures: Status) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading, justify in COLUMNS.items():
        table.add_column(heading, justify="right" if justify == "right" else "left")
    for channel in figures.channels:
        table.add_row(*(Text(cell) for cell in _cells(channel, figures.as_of)))
    return table


def _cells(channel: ChannelStatus, now: datetime) -> tuple[str, ...]:
    state = "frozen" if channel.frozen else "on"
    if channel.live_at is None:
        state = "not yet live"
    behind = str(channel.listings_stale)
    if channel.oldest_stale_seconds is not None:
        behind += f" since {_seconds(channel.oldest_stale_seconds)}"
    known = "-" if channel.watermark is None else f"{age(channel.watermark, now)} ago"
    counts = (channel.orders_today, channel.units_today, channel.pushes_last_minute)
    names = (channel.channel, channel.kind, state, known, str(channel.listings), behind)
    return names + tuple(str(count) for count in counts)


def age(moment: datetime | None, now: datetime) -> str:
    """How long ago a moment was, in the largest unit that fits; "-" for none."""
    return "-" if moment is None else _seconds((now - moment).total_seconds())


def _seconds(seconds: float) -> str:
    for unit, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{max(seconds, 0):.0f} s"
