"""Commands about what was sent: a test, the past once more, the log."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from inventory.commands.asked import ID_MAX, SMALL_ID_MAX, moment_of
from inventory.commands.common import JsonOut
from inventory.commands.webhook import Id, act, noted, show

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from inventory.api.deliveries import DeliveryRow
    from inventory.config import Settings
    from inventory.outgoing import replays
    from inventory.outgoing.tries import Try

LOG_MAX = 500
State = Annotated[
    Literal["pending", "delivered", "parked"] | None,
    typer.Option(help="pending, delivered or parked."),
]
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
    cursor: Annotated[
        int, typer.Option(min=0, max=ID_MAX, help="The `next` of the page before.")
    ] = 0,
) -> None:
    """Send the messages of the last 30 days again to one endpoint, page after page."""
    from inventory.outgoing import replays as pages

    after: int | None = cursor
    queued = outdated = 0
    start = moment_of(since)

    async def again(session: AsyncSession, _: Settings) -> replays.Replayed:
        now = noted(session, "endpoint.replayed", endpoint=endpoint_id, cursor=after)
        return await pages.replay_past(session, endpoint_id, now=now, after=after or 0, since=start)

    while after is not None:
        page = act(again)
        queued, outdated, after = queued + page.queued, outdated + page.outdated, page.next
    typer.echo(f"{queued} messages are sent again, {outdated} left out: something newer was said")


def log(
    *,
    endpoint: Annotated[
        int | None, typer.Option(min=1, max=SMALL_ID_MAX, help="Only to this endpoint.")
    ] = None,
    state: State = None,
    event: Annotated[str | None, typer.Option(help="Only of this event.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Only what was said from then on.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Only what was said before.")] = None,
    before: Annotated[
        int, typer.Option(min=1, max=ID_MAX, help="Only deliveries with smaller ids.")
    ] = ID_MAX,
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
        since=moment_of(since),
        until=moment_of(until),
    )

    async def read(session: AsyncSession, _: Settings) -> Any:
        rows = await sent.log(session, wanted, before_id=before, limit=limit)
        return [delivery_row(row) for row in rows]

    found = act(read)
    show(found, json_out=json_out, line="\n".join(_line(row) for row in found))


def tries(
    delivery_id: Annotated[
        int, typer.Argument(metavar="DELIVERY", help="Its number in the log.", min=1, max=2**63 - 1)
    ],
    *,
    json_out: JsonOut = False,
) -> None:
    """Print one delivery with every try, oldest first: when, how long it took, what came of it."""
    from inventory.api.deliveries import delivery_told
    from inventory.reports import sent

    async def read(session: AsyncSession, _: Settings) -> Any:
        return delivery_told(await sent.one(session, delivery_id))

    found = act(read)
    lines = [_line(found), *map(_try, found.tries)]
    show(found, json_out=json_out, line="\n".join(lines))


def _line(row: DeliveryRow) -> str:
    last = f"{row.last_status or '-'} {row.last_failure or ''}"
    to = f"{row.id}  to {row.endpoint_id}  {row.event}  {row.topic or '-'}"
    return f"{to}  {row.state}  tries {row.attempts}  {last}".rstrip()


def _try(each: Try) -> str:
    at = f"    {each.at:%Y-%m-%d %H:%M:%S} UTC  version {each.version}"
    if each.milliseconds is None:
        return f"{at}  not ended"
    came = f"{each.status or '-'} {each.failure or ''}".rstrip()
    return f"{at}  {each.milliseconds} ms  {came}"
