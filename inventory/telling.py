"""What a store tells goes straight to the ledger; what that does not book is kept for a person.

A fact's name in the ledger decides what is new, repeated or in conflict. Only an event that is
refused is stored, parked, so that it can be replayed once its cause was put right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, to_builtins
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import inbox, inbox_desk
from inventory.booking.batch import NOT_TOGETHER
from inventory.clock import Clock
from inventory.db import Database
from inventory.events import CancellationTold, Event, SaleTold, ShipmentTold
from inventory.facts import Outcome, Status
from inventory.gathered import Gathered
from inventory.inbox import content_hash
from inventory.interpreter import Parked, fact_told, parked_by
from inventory.ledger import Ledger

KINDS = {SaleTold: "sale", CancellationTold: "cancellation", ShipmentTold: "shipment"}
OPEN = ("new", "parked")
# What an event that was stored before says about one of the same name.
DIFFERS = Outcome(
    status=Status.CONFLICT,
    code="content_differs",
    detail="this event_id was used before with other content",
)
HANDLED = Outcome(status=Status.RECORDED, repeated=True)

STORED = """
SELECT e.channel_id, e.event_id, e.id, e.content_hash, e.state
FROM unnest($1::int[], $2::text[]) AS told (channel_id, event_id)
JOIN inbound_event e USING (channel_id, event_id) WHERE e.state <> 'conflict'
"""


class Told(Struct, frozen=True):
    """An event about an order of a channel."""

    channel_id: int
    order_ref: str
    event: Event

    @property
    def name(self) -> tuple[int, str]:
        """Its name among the events that are stored."""
        return self.channel_id, self.event.event_id

    @property
    def kind(self) -> str:
        """What sort of event it is."""
        return KINDS[type(self.event)]

    def row(self) -> dict[str, Any]:
        """What is stored of it."""
        body: dict[str, Any] = to_builtins(self.event)
        if not body.get("keep_rest", True):
            # Events were stored before there was this member: without it, they are the same.
            del body["keep_rest"]
        channel_id, event_id = self.name
        return {
            "channel_id": channel_id,
            "event_id": event_id,
            "kind": self.kind,
            "subject": self.order_ref,
            "body": body,
        }


class Stored(Struct, frozen=True):
    """An event that was stored before, and is no conflict."""

    id: int
    content_hash: bytes
    state: str


class Answer(Struct, frozen=True, kw_only=True):
    """Where an event stands, and under which number it is kept if a person must see it."""

    state: str
    code: str = ""
    detail: str = ""
    repeated: bool = False
    event: int | None = None


class Door:
    """Where own stores tell what has happened."""

    def __init__(self, database: Database, ledger: Ledger, clock: Clock) -> None:
        self._database = database
        self._ledger = ledger
        self._clock = clock
        self._stored = Gathered(self._look)

    async def tell(self, told: Sequence[Told], *, together: bool = False) -> list[Answer]:
        """Book up to 1,000 events, each once, and say where each stands, in the same order.

        States: `handled`; `parked`, kept for a person to put right and replay; `conflict`, other
        content than before, kept and not applied (L4). Those that belong `together` are booked all
        or none: where one cannot be, none is parked, and what was not booked is `refused`. Raises
        what the ledger raises.
        """
        stored = await self._stored.get([each.name for each in told])
        before = [stored.get(each.name) for each in told]
        said = [_said(*pair) for pair in zip(told, before, strict=True)]
        outcomes = await self._apply(told, said, together=together)
        if not stored and all(outcome.status is Status.RECORDED for outcome in outcomes):
            return [_answer(outcome, None) for outcome in outcomes]
        every = list(zip(told, before, outcomes, strict=True))
        # In one order, so that two calls about the same events do not wait for each other.
        in_order = sorted(range(len(told)), key=lambda number: told[number].name)
        async with self._database.transaction() as session:
            kept = {
                number: await self._keep(session, *every[number], together=together)
                for number in in_order
            }
        return [kept[number] for number in range(len(told))]

    async def _look(self, names: Sequence[tuple[int, str]]) -> Mapping[tuple[int, str], Stored]:
        pool = await self._database.pool()
        rows = await pool.fetch(STORED, [name[0] for name in names], [name[1] for name in names])
        return {(row[0], row[1]): Stored(row[2], row[3], row[4]) for row in rows}

    async def _apply(
        self, told: Sequence[Told], said: Sequence[Outcome | None], *, together: bool
    ) -> list[Outcome]:
        now = self._clock.now()
        facts = [
            fact_told(each.event, channel_id=each.channel_id, order_ref=each.order_ref, now=now)
            for each, outcome in zip(told, said, strict=True)
            if outcome is None
        ]
        if together and DIFFERS in said:
            booked = [NOT_TOGETHER for _ in facts]
        else:
            booked = await self._ledger.apply(facts, together=together)
        fresh = iter(booked)
        return [outcome or next(fresh) for outcome in said]

    async def _keep(
        self,
        session: AsyncSession,
        told: Told,
        stored: Stored | None,
        outcome: Outcome,
        *,
        together: bool,
    ) -> Answer:
        """Store an event that a person must see, or note on a stored one what became of it."""
        now, parked = self._clock.now(), parked_by(outcome, kind=told.kind)
        if outcome.status is Status.CONFLICT and (stored is None or outcome is DIFFERS):
            event = await inbox_desk.keep_conflict(session, **told.row(), now=now)
            return _answer(outcome, parked, event=event)
        if stored is not None and outcome.code != NOT_TOGETHER.code:
            if stored.state in OPEN:
                about: dict[str, Any] = {"parked": parked, "outcome": outcome, "now": now}
                await inbox.settle(session, stored.id, **about, states=OPEN)
            return _answer(outcome, parked, event=stored.id)
        if parked is None or together:
            return _answer(outcome, parked)
        row = told.row()
        waits = {"state": "parked", "code": parked.code, "detail": parked.detail, "attempts": 1}
        hash_ = content_hash(row["body"])
        kept = await inbox.store(session, **row, **waits, content_hash=hash_, received_at=now)
        return Answer(
            state=kept.state,
            code=kept.code,
            detail=kept.detail,
            repeated=kept.repeated,
            event=kept.id,
        )


def _said(told: Told, stored: Stored | None) -> Outcome | None:
    """What the event of this name that was stored before says; None leaves it to the ledger."""
    if stored is None:
        return None
    if content_hash(told.row()["body"]) != stored.content_hash:
        return DIFFERS
    return None if stored.state in OPEN else HANDLED


def _answer(outcome: Outcome, parked: Parked | None, *, event: int | None = None) -> Answer:
    if parked is None:
        state = "handled"
    elif outcome.status is Status.CONFLICT:
        state = "conflict"
    else:
        state = "refused" if event is None else "parked"
    return Answer(
        state=state,
        code=parked.code if parked else outcome.code,
        detail=parked.detail if parked else outcome.detail,
        repeated=outcome.repeated or state == "parked",
        event=event,
    )
