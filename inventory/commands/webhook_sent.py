"""Commands about what was sent: a test, the past once more, the log."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inventory.commands.common import JsonOut
from inventory.commands.webhook import Id, act, noted, show

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from inventory.config import Settings
    from inventory.outgoing import replays

NEWEST = 2**62
LOG_MAX = 500
LOOK_SECONDS = 0.2


def send_test(
    endpoint_id: Id,
    *,
    wait: Annotated[int, typer.Option(min=0, max=120, help="Seconds to wait for its end.")] = 15,
) -> None:
    """Send a ping to one endpoint and say what came of it, exit code 1 if it did not arrive."""
    from inventory import deliveries
    from inventory.models import Delivery
    from inventory.outgoing import endpoints

    async def ping(session: AsyncSession, _: Settings) -> int:
        now = noted(session, "endpoint.tested", endpoint=endpoint_id)
        endpoint = await endpoints.find(session, endpoint_id)
        return (await deliveries.ping(session, endpoint, now)).id

    async def look(session: AsyncSession, _: Settings) -> Any:
        row = await session.get_one(Delivery, row_id)
        return row.state, row.last_status, row.last_failure

    row_id = act(ping)
    until = time.monotonic() + wait
    state, status, failure = act(look)
    while state == "pending" and failure is None and time.monotonic() < until:
        time.sleep(LOOK_SECONDS)
        state, status, failure = act(look)
    typer.echo(f"delivery {row_id}: {state}, answer {status or '-'}, failure {failure or '-'}")
    if state != "delivered":
        raise typer.Exit(1)


def replay(
    endpoint_id: Id,
    *,
    since: Annotated[datetime | None, typer.Option(help="Only what was said from then on.")] = None,
    cursor: Annotated[int, typer.Option(min=0, help="The `next` of the page before.")] = 0,
) -> None:
    """Send the messages of the last 30 days again to one endpoint, page after page."""
    from inventory.outgoing import replays as pages

    after: int | None = cursor
    queued = outdated = 0
    start = None if since is None else since.astimezone()

    async def again(session: AsyncSession, _: Settings) -> replays.Replayed:
        now = noted(session, "endpoint.replayed", endpoint=endpoint_id, cursor=after)
        return await pages.replay_past(session, endpoint_id, now=now, after=after or 0, since=start)

    while after is not None:
        page = act(again)
        queued, outdated, after = queued + page.queued, outdated + page.outdated, page.next
    typer.echo(f"{queued} messages are sent again, {outdated} left out: something newer was said")


def log(
    *,
    endpoint: Annotated[int | None, typer.Option(min=1, help="Only to this endpoint.")] = None,
    state: Annotated[str | None, typer.Option(help="pending, delivered or parked.")] = None,
    event: Annotated[str | None, typer.Option(help="Only of this event.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Only what was said from then on.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Only what was said before.")] = None,
    before: Annotated[int, typer.Option(min=1, help="Only deliveries with smaller ids.")] = NEWEST,
    limit: Annotated[int, typer.Option(min=1, max=LOG_MAX, help="Most lines.")] = 50,
    json_out: JsonOut = False,
) -> None:
    """Print what was sent, newest first: state, tries, and what the last one brought."""
    from inventory.api.deliveries import delivery_row
    from inventory.reports import sent

    wanted = sent.Filter(
        state=state,
        endpoint_id=endpoint,
        event=event,
        since=None if since is None else since.astimezone(),
        until=None if until is None else until.astimezone(),
    )

    async def read(session: AsyncSession, _: Settings) -> Any:
        rows = await sent.log(session, wanted, before_id=before, limit=limit)
        return [delivery_row(row) for row in rows]

    found = act(read)
    lines = [
        f"{row.id}  to {row.endpoint_id}  {row.event}  {row.topic or '-'}  {row.state}"
        f"  tries {row.attempts}  {row.last_status or '-'} {row.last_failure or ''}".rstrip()
        for row in found
    ]
    show(found, json_out=json_out, line="\n".join(lines))
