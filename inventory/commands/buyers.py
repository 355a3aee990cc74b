"""Commands of the order desk about buyers: the decision table, wishes on record, drafts."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inventory.commands.asked import ID_MAX, checked
from inventory.commands.common import (
    NEWEST,
    ROWS_MAX,
    JsonOut,
    by_me,
    in_one,
    now,
    print_rows,
    tokyo,
    write_json,
)

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from inventory.decision_table.shown import RowShown
    from inventory.desk.messages import MessageRow

MESSAGE_HEADING = ("cancellation", "channel", "order", "refund by (Tokyo)")

desk = typer.Typer(help="The decision table, buyers' wishes, and messages to buyers.")

Cancellation = Annotated[int, typer.Argument(help="The cancellation's number.", min=1, max=ID_MAX)]
Part = Annotated[bool, typer.Option("--part", help="Only a part of the order is short.")]
Person = Annotated[str, typer.Option(help="The name of the person who did it.")]


@desk.command()
def reasons(
    market: Annotated[str, typer.Option(help="Only this marketplace, such as rakuten.")] = "",
    asker: Annotated[str, typer.Option(help="Only rows about who asked.")] = "",
    json_out: JsonOut = False,  # noqa: FBT002 -- a flag of the command line
) -> None:
    """Print the decision table: what may be done about an order, why, and does it count."""
    from inventory.decision_table import shown
    from inventory.reasons import Asker, Market

    for word, known, name in ((market, Market, "--market"), (asker, Asker, "--asker")):
        if word and word not in {each.value for each in known}:
            raise typer.BadParameter(f"{name}: one of {', '.join(each.value for each in known)}")
    table = shown.shown(Market(market) if market else None, Asker(asker) if asker else None)
    if json_out:
        write_json(table)
        return
    for row in table.rows:
        typer.echo(_line(row))
    typer.echo("what no row lists is refused to a person; never, anywhere:")
    for never in table.never:
        typer.echo(f"  ({never.letter}) {never.words}")


def _line(row: RowShown) -> str:
    case = "  ".join(
        "/".join(words)
        for words in (row.states, row.askers, row.ship_notices, row.fulfilments, row.extents)
    )
    codes = "/".join(row.reason_codes) or "-"
    return f"{row.market}  {case}: {row.action} {codes}, counts {row.counts}; {row.source}"


@desk.command("buyer-asked")
def buyer_asked(
    channel: Annotated[str, typer.Argument(help="The channel's code.")],
    order_ref: Annotated[str, typer.Argument(help="The order's number at the channel.")],
    person: Annotated[str, typer.Option(help="The name of whoever read the buyer's message.")],
    asked_at: Annotated[
        str, typer.Option(help="When the buyer wrote, with time zone: 2026-11-20T18:00+09:00.")
    ] = "",
    reference: Annotated[str, typer.Option(help="Where the message lies; no buyer data.")] = "",
) -> None:
    """Put on record that a buyer asked to cancel, and propose it; a person approves."""
    from inventory.desk import buyer_requests
    from inventory.desk.buyer_requests import BuyerAsked

    wish = {"person": person, "asked_at": _time(asked_at), "reference": reference}
    told: BuyerAsked = checked(wish, BuyerAsked)

    async def work(session: AsyncSession) -> Any:
        return await buyer_requests.record(session, channel, order_ref, told, by=by_me(), now=now())

    write_json(in_one(work))


def _time(text: str) -> datetime | None:
    from inventory.fields import moment

    if not text:
        return None
    try:
        return moment(datetime.fromisoformat(text))
    except ValueError:
        raise typer.BadParameter("--asked-at: a time such as 2026-11-20T18:00+09:00") from None


@desk.command("messages")
def list_messages(
    json_out: JsonOut = False,  # noqa: FBT002 -- a flag of the command line
) -> None:
    """Print the newest messages that nobody has sent, 100 at most."""
    from inventory.desk import messages

    found = in_one(lambda session: messages.unsent(session, before_id=NEWEST, limit=ROWS_MAX))
    print_rows(
        found, MESSAGE_HEADING, _unsent, none="no message waits to be sent", json_out=json_out
    )


def _unsent(row: MessageRow) -> list[object]:
    return [row.cancellation_id, row.channel, row.order_ref, tokyo(row.repay_due_at)]


@desk.command()
def message(
    cancellation: Cancellation,
    part: Part = False,  # noqa: FBT002 -- a flag of the command line
) -> None:
    """Draft the message to the buyer and print it with the channel's rules."""
    from inventory.desk import messages
    from inventory.reasons import Extent

    async def work(session: AsyncSession) -> Any:
        extent = Extent.PART if part else Extent.WHOLE
        await messages.draft(session, cancellation, now(), extent=extent)
        return await messages.message(session, cancellation)

    drafted = in_one(work)
    typer.echo(f"{drafted.subject}\n\n{drafted.body}\n")
    for note in drafted.notes:
        typer.echo(f"※ {note}")


def _named(person: str) -> str:
    from inventory.fields import Text

    return str(checked(person, Text))


@desk.command()
def sent(cancellation: Cancellation, person: Person) -> None:
    """Say that a person has sent the message to the buyer."""
    from inventory.desk import messages

    named = _named(person)

    async def work(session: AsyncSession) -> Any:
        await messages.mark_sent(session, cancellation, person=named, by=by_me(), now=now())
        return await messages.message(session, cancellation)

    write_json(in_one(work))


@desk.command()
def repaid(cancellation: Cancellation, person: Person) -> None:
    """Say that a person has seen to the refund, on the platform; its reminder ends."""
    from inventory.desk import messages

    named = _named(person)

    async def work(session: AsyncSession) -> Any:
        await messages.mark_repaid(session, cancellation, person=named, by=by_me(), now=now())
        return await messages.message(session, cancellation)

    write_json(in_one(work))
