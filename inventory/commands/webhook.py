"""Commands about where messages go: webhooks, chats and mail, their log and their past."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from inventory.commands.asked import SMALL_ID_MAX, checked, json_in
from inventory.commands.common import JsonOut, by_me, now
from inventory.commands.house import settings_here

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from inventory.config import Settings
    from inventory.outgoing.edits import EndpointChange
    from inventory.outgoing.endpoints import NewEndpoint

ENDPOINTS_MAX = 500
KINDS = "webhook, slack, teams, google_chat, chatwork, line_works or email"

webhooks = typer.Typer(help="Where messages go: signed webhooks, chats and mail.")

Id = Annotated[int, typer.Argument(help="The endpoint's number.", min=1, max=SMALL_ID_MAX)]


def act(work: Callable[[AsyncSession, Settings], Awaitable[Any]]) -> Any:
    """Do it in one transaction; what cannot be done ends the command with a sentence."""
    from inventory.db import Database

    settings = settings_here()

    async def run() -> Any:
        database = Database(settings.database_url)
        try:
            async with database.transaction() as session:
                return await work(session, settings)
        finally:
            await database.aclose()

    return asyncio.run(run())


def noted(session: AsyncSession, action: str, **detail: Any) -> datetime:
    """Note who did it; the time of it."""
    from inventory import audit

    at = now()
    audit.note(session, by=by_me(), action=action, detail=detail, now=at)
    return at


def show(found: Any, *, json_out: bool, line: str) -> None:
    """Print lines for people, or JSON for programs."""
    import msgspec

    if not json_out and not line:
        typer.echo("there is none", err=True)
        return
    text = json.dumps(msgspec.to_builtins(found), indent=2, ensure_ascii=False)
    typer.echo(text if json_out else line)


@webhooks.command("list")
def list_endpoints(*, json_out: JsonOut = False) -> None:
    """Print where messages go, one a line; addresses and tokens are never shown."""
    from inventory.api.webhooks import endpoint_fields
    from inventory.reports import sent

    async def read(session: AsyncSession, _: Settings) -> Any:
        rows = await sent.endpoints(session, after_id=0, limit=ENDPOINTS_MAX)
        return [endpoint_fields(row) for row in rows]

    found = act(read)
    lines = [
        f"{row['id']}  {row['kind']}  {row['name'] or '-'}  team {row['team'] or 'all'}"
        f"  {row['url']}  {_state(row)}"
        for row in found
    ]
    show(found, json_out=json_out, line="\n".join(lines))


def _state(row: dict[str, Any]) -> str:
    if not row["active"]:
        return "disabled"
    return f"failing since {row['failing_since']}" if row["failing_since"] else "well"


@webhooks.command("add")
def add_endpoint(
    *,
    kind: Annotated[str, typer.Option(help=KINDS)] = "webhook",
    name: Annotated[str, typer.Option(help="What people call it.")] = "",
    team: Annotated[str | None, typer.Option(help="Whose messages; else everyone's.")] = None,
    event: Annotated[list[str] | None, typer.Option(help="Only this event; repeat.")] = None,
    from_file: Annotated[
        Path | None, typer.Option(help="The whole endpoint as JSON, from a file or -.")
    ] = None,
    json_out: JsonOut = False,
) -> None:
    """Add an endpoint; its address and tokens are asked for unseen. The secret is shown once."""
    from inventory.outgoing import endpoints
    from inventory.security import Vault

    wanted: dict[str, Any] = {"kind": kind, "name": name, "team": team, "events": event or []}
    if from_file is not None:
        wanted = json_in(from_file)
    else:
        wanted |= _asked(kind)
    asked: NewEndpoint = checked(wanted, endpoints.NewEndpoint)

    async def add(session: AsyncSession, settings: Settings) -> Any:
        vault, networks = Vault(settings.secret_key), settings.webhook_networks
        made, secret = await endpoints.add(session, vault, asked, networks)
        noted(session, "endpoint.created", endpoint=made.id, kind=asked.kind)
        signed = asked.kind == "webhook"
        found = {"id": made.id, "url": made.url, "public_key": made.public_key}
        return found | {"secret": secret if signed else None}

    _keys(act(add), json_out=json_out)


def _asked(kind: str) -> dict[str, Any]:
    """What a kind needs, asked for at the terminal; what is a key is not shown."""
    from inventory.outgoing.endpoints import TransportName

    if kind not in get_args(TransportName):
        raise typer.BadParameter(f"kind must be {KINDS}")
    email = ("url", "sender", "recipients", "username", "password")
    names = {"chatwork": ("room", "token"), "email": email}.get(kind, ("url",))
    found: dict[str, Any] = {}
    for name in names:
        hidden = name in {"token", "password"} or (name == "url" and kind != "email")
        default = "" if name in {"username", "password"} else None
        found[name] = typer.prompt(name, hide_input=hidden, default=default, show_default=False)
    if "recipients" in found:
        found["recipients"] = [each.strip() for each in found["recipients"].split(",")]
    return found


def _keys(found: dict[str, Any], *, json_out: bool) -> None:
    lines = [f"endpoint {found['id']} at {found['url']}"]
    if found["secret"]:
        lines += [f"secret (v1), shown this once: {found['secret']}"]
        lines += [f"public key (v1a): {found['public_key']}"]
    if found.get("previous_until"):
        lines += [f"the keys before go on signing until {found['previous_until']}"]
    show(found, json_out=json_out, line="\n".join(lines))


@webhooks.command()
def edit(
    endpoint_id: Id,
    *,
    name: Annotated[str | None, typer.Option(help="What people call it.")] = None,
    team: Annotated[str | None, typer.Option(help="Whose messages it takes.")] = None,
    every_team: Annotated[
        bool, typer.Option("--every-team", help="Take the messages of every team.")
    ] = False,
    event: Annotated[list[str] | None, typer.Option(help="Only this event; repeat.")] = None,
    every_event: Annotated[bool, typer.Option("--every-event", help="Take all events.")] = False,
) -> None:
    """Change name, team or events; what is left out stays. What is queued still goes there."""
    from inventory.outgoing import edits

    if (team is not None and every_team) or (event and every_event):
        raise typer.BadParameter("one team or every team, some events or every event")
    wish: dict[str, Any] = {} if name is None else {"name": name}
    if team is not None or every_team:
        wish["team"] = team
    if event or every_event:
        wish["events"] = event or []
    wanted: EndpointChange = checked(wish, edits.EndpointChange)

    async def change(session: AsyncSession, _: Settings) -> None:
        await edits.change(session, endpoint_id, wanted, by=by_me(), now=now())

    act(change)
    typer.echo(f"endpoint {endpoint_id} is changed")


@webhooks.command()
def rotate(
    endpoint_id: Id,
    *,
    hours: Annotated[
        int, typer.Option(min=0, max=168, help="How long the keys before go on signing.")
    ] = 24,
    json_out: JsonOut = False,
) -> None:
    """Make new keys for a webhook; both sign for the hours given, then the new ones alone."""
    from inventory.outgoing import endpoint_keys
    from inventory.security import Vault

    async def change(session: AsyncSession, settings: Settings) -> Any:
        now = noted(session, "endpoint.rotated", endpoint=endpoint_id, hours=hours)
        vault = Vault(settings.secret_key)
        made, secret = await endpoint_keys.rotate(session, vault, endpoint_id, hours=hours, now=now)
        found = {"id": made.id, "url": made.url, "public_key": made.public_key, "secret": secret}
        return found | {"previous_until": made.previous_until}

    _keys(act(change), json_out=json_out)


@webhooks.command()
def enable(endpoint_id: Id) -> None:
    """Send there again after a 410; what it missed comes by a replay."""
    from inventory.outgoing import endpoints

    async def change(session: AsyncSession, _: Settings) -> Any:
        await endpoints.enable(session, endpoint_id)
        noted(session, "endpoint.enabled", endpoint=endpoint_id)

    act(change)
    typer.echo(f"endpoint {endpoint_id} is enabled")


@webhooks.command()
def remove(endpoint_id: Id) -> None:
    """Send nothing more there, and forget its address and keys."""
    from inventory.outgoing import removals

    async def change(session: AsyncSession, _: Settings) -> Any:
        now = noted(session, "endpoint.deleted", endpoint=endpoint_id)
        await removals.remove(session, endpoint_id, now)

    act(change)
    typer.echo(f"endpoint {endpoint_id} is removed")
