"""Events outside of their usual way: kept as a conflict, or dismissed by a person."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import audit
from inventory.errors import NotFound, WrongState
from inventory.inbox import content_hash
from inventory.models import InboundEvent


async def keep_conflict(
    session: AsyncSession,
    *,
    channel_id: int,
    event_id: str,
    kind: str,
    subject: str,
    body: dict[str, Any],
    now: datetime,
) -> int:
    """Keep what came under a name used before for something else, once; its id among the events.

    It is in state `conflict`, for a person to see, and is never applied (L4).
    """
    hash_ = content_hash(body)
    await session.execute(
        insert(InboundEvent)
        .values(
            channel_id=channel_id,
            event_id=event_id,
            kind=kind,
            subject=subject,
            content_hash=hash_,
            body=body,
            state="conflict",
            code="content_differs",
            detail=f"the name {event_id} was used before with other content",
            received_at=now,
        )
        .on_conflict_do_nothing()
    )
    kept = await session.scalars(
        select(InboundEvent.id).where(
            InboundEvent.channel_id == channel_id,
            InboundEvent.event_id == event_id,
            InboundEvent.content_hash == hash_,
        )
    )
    return kept.one()


async def dismiss(
    session: AsyncSession, event_id: int, *, reason: str, by: str, now: datetime
) -> None:
    """A person says that a parked event needs no handling, and why; it stays on record.

    Raises `NotFound`; `WrongState` for an event that is not parked.
    """
    event = await session.get(InboundEvent, event_id, with_for_update=True)
    if event is None:
        raise NotFound(f"no event {event_id}")
    if event.state != "parked":
        raise WrongState(f"event {event_id} is {event.state}, only parked ones are dismissed")
    event.state, event.handled_at = "handled", now
    event.outcome = {"status": "dismissed", "by": by, "reason": reason}
    detail = {"event": event_id, "code": event.code, "reason": reason}
    audit.note(session, by=by, action="event.dismissed", detail=detail, now=now)
    await session.flush()
