"""Commands about API keys."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from inventory.commands.house import settings_here

keys = typer.Typer(help="API keys.", no_args_is_help=True)


@keys.command()
def create(
    name: Annotated[str, typer.Argument(help="Whose key it is.")],
    scope: Annotated[list[str], typer.Option(help="What it may do; may be given again.")],
    channel: Annotated[str | None, typer.Option(help="Bind it to one channel's code.")] = None,
) -> None:
    """Make a key and print it; it cannot be shown again."""
    typer.echo(asyncio.run(_create(name, scope, channel)))


async def _create(name: str, scopes: list[str], channel: str | None) -> str:
    from inventory.db import Database
    from inventory.security import create_key

    database = Database(settings_here().database_url)
    try:
        async with database.transaction() as session:
            return await create_key(session, name=name, scopes=scopes, channel=channel)
    finally:
        await database.aclose()


@keys.command()
def revoke(name: Annotated[str, typer.Argument(help="Whose keys.")]) -> None:
    """Revoke every key of this name; the API refuses them within 5 seconds."""
    typer.echo(f"{asyncio.run(_revoke(name))} revoked; refused within 5 seconds")


async def _revoke(name: str) -> int:
    from inventory.clock import Clock
    from inventory.db import Database
    from inventory.security import revoke_keys

    database = Database(settings_here().database_url)
    try:
        async with database.transaction() as session:
            return await revoke_keys(session, name=name, now=Clock().now())
    finally:
        await database.aclose()
