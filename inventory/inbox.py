"""Events as received: stored once, handled once, parked with a reason, replayed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.clock import Clock
from inventory.db import Database
from inventory.errors import NotFound, WrongState
from inventory.facts import Outcome
from inventory.interpreter import MALFORMED, Parked, facts_of, parked_by
from inventory.ledger import Ledger
from inventory.models import InboundEvent
from inventory.vocabulary import OrderSeen

HANDLE_MAX = 200
NUL_TOLD = "the order has the character NUL in one of its texts"


class Received(Struct, frozen=True, kw_only=True):
    """Where an event stands. `repeated`: it was stored before, and this is its first answer."""

    id: int
    state: str
    code: str = ""
    detail: str = ""
    outcome: dict[str, Any] | None = None
    repeated: bool = False


def content_hash(body: dict[str, Any]) -> bytes:
    """Sixteen bytes that differ when the content does; when it was seen does not count."""
    content = {key: value for key, value in body.items() if key != "observed_at"}
    encoded = msgspec.json.encode(content, order="deterministic")
    return hashlib.blake2b(encoded, digest_size=16).digest()


class Inbox:
    """Everything that a channel tells us goes through here before it touches stock."""

    def __init__(self, database: Database, ledger: Ledger, clock: Clock) -> None:
        self._database = database
        self._ledger = ledger
        self._clock = clock

    async def receive(
        self, channel_id: int, *, event_id: str, kind: str, subject: str, body: dict[str, Any]
    ) -> Received:
        """Store an event durably; `subject` is the order it is about.

        The same id with the same content answers as the first time. With other content it is
        stored as a conflict for a person to see and is never applied (L4).
        """
        async with self._database.transaction() as session:
            return await store(
                session,
                channel_id=channel_id,
                event_id=event_id,
                kind=kind,
                subject=subject,
                content_hash=content_hash(body),
                body=body,
                received_at=self._clock.now(),
            )

    async def receive_orders(self, channel_id: int, orders: Sequence[OrderSeen]) -> list[int]:
        """Store the snapshots that differ from the last one stored of their order; their ids.

        One with a character that PostgreSQL cannot hold is parked, without it.
        """
        ids = []
        for order in [order for order in orders if has_nul(order)]:
            await self.park(channel_id, subject=order.order_ref, code=MALFORMED, detail=NUL_TOLD)
        orders = [order for order in orders if not has_nul(order)]
        async with self._database.transaction() as session:
            last = await _last_hashes(session, channel_id, [order.order_ref for order in orders])
            for order in orders:
                body = msgspec.to_builtins(order)
                hash_ = content_hash(body)
                if last.get(order.order_ref) == hash_:
                    continue
                last[order.order_ref] = hash_
                seen = order.observed_at.isoformat()
                added = await session.scalar(
                    insert(InboundEvent)
                    .values(
                        channel_id=channel_id,
                        event_id=f"{order.order_ref}@{seen}#{hash_[:4].hex()}",
                        kind="order",
                        subject=order.order_ref,
                        content_hash=hash_,
                        body=body,
                        received_at=self._clock.now(),
                    )
                    .on_conflict_do_nothing()
                    .returning(InboundEvent.id)
                )
                if added is not None:
                    ids.append(added)
        return ids

    async def park(
        self, channel_id: int, *, subject: str, code: str, detail: str, kind: str = "order"
    ) -> None:
        """Keep something that could not even be read, once per subject and detail."""
        subject, detail = subject.replace("\x00", ""), detail.replace("\x00", "")
        received = await self.receive(
            channel_id,
            event_id=f"{subject}!{content_hash({'detail': detail}).hex()}",
            kind=kind,
            subject=subject,
            body={"problem": detail},
        )
        async with self._database.transaction() as session:
            await session.execute(
                update(InboundEvent)
                .where(InboundEvent.id == received.id, InboundEvent.state == "new")
                .values(state="parked", code=code, detail=detail[:500])
            )

    async def handle(self, ids: Sequence[int] | None = None) -> int:
        """Handle new events (all, or those of `ids`) in order of arrival; how many were handled.

        Notices that only name an order are not among them: that order is read first.
        Safe to run twice at once: the ledger knows each fact by its name.
        """
        new = (InboundEvent.state == "new") & (InboundEvent.kind != "notice")
        query = select(InboundEvent).where(new).order_by(InboundEvent.id)
        if ids is not None:
            query = query.where(InboundEvent.id.in_(ids))
        async with self._database.sessions() as session:
            events = list(await session.scalars(query.limit(HANDLE_MAX)))
            told = [await facts_of(session, event) for event in events]
        facts = [fact for _, fact in told if fact is not None]
        outcomes = iter(await self._ledger.apply(facts))
        async with self._database.transaction() as session:
            for event, (wrong, fact) in zip(events, told, strict=True):
                outcome = next(outcomes) if fact is not None else None
                parked = wrong or (parked_by(outcome, kind=event.kind) if outcome else None)
                now = self._clock.now()
                await settle(session, event.id, parked=parked, outcome=outcome, now=now)
        return len(events)

    async def replay(self, event_id: int) -> Received:
        """Handle a parked event once more. Raises `NotFound`, `WrongState`."""
        async with self._database.transaction() as session:
            event = await session.get(InboundEvent, event_id, with_for_update=True)
            if event is None:
                raise NotFound(f"no event {event_id}")
            if event.state != "parked":
                raise WrongState(
                    f"event {event_id} is {event.state}, only parked ones are replayed"
                )
            event.state = "new"
        await self.handle([event_id])
        return await self.look(event_id)

    async def look(self, event_id: int) -> Received:
        """Where an event stands now. Raises `NotFound`."""
        async with self._database.sessions() as session:
            event = await session.get(InboundEvent, event_id)
        if event is None:
            raise NotFound(f"no event {event_id}")
        return _received(event)


async def store(session: AsyncSession, **values: Any) -> Received:
    """Store an event, the columns of whose row are `values`, once; see `Inbox.receive`."""
    added = await session.scalar(
        insert(InboundEvent).values(values).on_conflict_do_nothing().returning(InboundEvent.id)
    )
    if added is None:
        return await _repeated(session, values)
    about = {name: values[name] for name in ("code", "detail") if name in values}
    return Received(id=added, state=values.get("state", "new"), **about)


async def settle(
    session: AsyncSession,
    event_id: int,
    *,
    parked: Parked | None,
    outcome: Outcome | None,
    now: datetime,
    states: Sequence[str] = ("new",),
) -> None:
    """Note what became of an event that is in one of these states."""
    done = {
        "state": "parked" if parked else "handled",
        "code": parked.code if parked else "",
        "detail": parked.detail if parked else "",
        "outcome": msgspec.to_builtins(outcome) if outcome else None,
        "handled_at": None if parked else now,
        "attempts": InboundEvent.attempts + 1,
    }
    await session.execute(
        update(InboundEvent)
        .where(InboundEvent.id == event_id, InboundEvent.state.in_(states))
        .values(done)
    )


def has_nul(order: OrderSeen) -> bool:
    """Whether a text of the order has a character that PostgreSQL cannot hold."""
    return b"\\u0000" in msgspec.json.encode(order)


def _received(event: InboundEvent, *, repeated: bool = False) -> Received:
    return Received(
        id=event.id,
        state=event.state,
        code=event.code,
        detail=event.detail,
        outcome=event.outcome,
        repeated=repeated,
    )


async def _repeated(session: AsyncSession, values: dict[str, Any]) -> Received:
    same_name = select(InboundEvent).where(
        InboundEvent.channel_id == values["channel_id"],
        InboundEvent.event_id == values["event_id"],
    )
    first = (await session.scalars(same_name.where(InboundEvent.state != "conflict"))).one()
    if first.content_hash == values["content_hash"]:
        return _received(first, repeated=True)
    conflict = values | {
        "state": "conflict",
        "code": "content_differs",
        "detail": f"event {first.id} has this id and other content",
    }
    await session.execute(insert(InboundEvent).values(conflict).on_conflict_do_nothing())
    kept = await session.scalars(
        same_name.where(InboundEvent.content_hash == values["content_hash"])
    )
    return _received(kept.one())


async def _last_hashes(
    session: AsyncSession, channel_id: int, order_refs: Sequence[str]
) -> dict[str, bytes]:
    newest = (
        select(func.max(InboundEvent.id))
        .where(
            InboundEvent.channel_id == channel_id,
            InboundEvent.kind == "order",
            InboundEvent.subject.in_(order_refs),
            InboundEvent.body.has_key("order_ref"),
        )
        .group_by(InboundEvent.subject)
    )
    rows = await session.execute(
        select(InboundEvent.subject, InboundEvent.content_hash).where(InboundEvent.id.in_(newest))
    )
    return {row.subject: row.content_hash for row in rows}
