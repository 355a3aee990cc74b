"""What the commands about shops print for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from inventory.commands.common import now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inventory.onboarding import Kept
    from inventory.reports.channels import ChannelRow
    from inventory.shadow import ShadowRow, ShadowTotals
    from inventory.vocabulary import Danger


def print_connected(row: ChannelRow, kept: Kept | None, twins: Sequence[str]) -> None:
    """A shop that was connected just now, and the next step."""
    from inventory.onboarding import WITHOUT_STANDING

    if row.kind in WITHOUT_STANDING:
        typer.echo(f"{row.code} ({row.kind}) is connected, and live: it asks us")
        typer.echo(f"next: hikiate import listings FILE --channel {row.code}, and a key for it:")
        scopes = "--scope orders:write --scope stock:read"
        typer.echo(f"hikiate key create {row.code} {scopes} --channel {row.code}")
        return
    live = "live: numbers go out" if row.live_at else "nothing is published to it yet"
    typer.echo(f"{row.code} ({row.kind}) is connected; {live}")
    print_standing(kept)
    for twin in twins:
        typer.echo(f"DANGER same_account: {twin} is the same account; an order may count twice")
    typer.echo(f"next: hikiate channel discover {row.code}")


def print_standing(kept: Kept | None) -> None:
    """What a shop said of itself; None where it was not asked."""
    if kept is None:
        typer.echo("the keys were not tried: hikiate channel check does it")
        return
    if kept.failure:
        typer.echo(f"it could not be asked: {kept.failure}")
    if kept.account:
        typer.echo(f"the keys open the shop {kept.account}")
    for expiry in kept.expiries:
        days = (expiry.ends_at - now()).days
        typer.echo(f"{expiry.name} ends on {expiry.ends_at:%Y-%m-%d} (UTC), in {days} days")
    print_dangers(kept.dangers)


def print_dangers(dangers: Sequence[Danger]) -> None:
    """What lets a shop sell what is not there."""
    for danger in dangers:
        named = f"{danger.code} {danger.channel_sku}".rstrip()
        typer.echo(f"DANGER {named}: {danger.detail}")


def shadowed(row: ShadowRow) -> tuple[object, ...]:
    """One listing as a row of the shadow table."""
    # A difference of none is one, too: only what nobody knows is a question.
    known = ("?" if each is None else each for each in (row.shows, row.would_show, row.difference))
    read = f"{row.known_at:%m-%d %H:%M}" if row.known_at else "never"
    return row.channel_sku, row.sku, *known, row.lane or "-", read


def totals(found: ShadowTotals, word: str) -> str:
    """How many numbers would, or will, change; `word` says which."""
    said = (
        f"{found.listings} listings: {found.agree} agree, {found.would_rise} {word} rise,"
        f" {found.would_fall} {word} fall ({found.to_zero} to zero), {found.unread} not read yet"
    )
    if found.unlisted:
        said += f"; {found.unlisted} discovered ones are not mapped"
    return said
