"""Keeping what came under a name that was used before for something else, for a person to see."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.inbox import content_hash
from inventory.models import InboundEvent


async def keep(
    session: AsyncSession,
    *,
    channel_id: int,
    event_id: str,
    kind: str,
    subject: str,
    body: dict[str, Any],
    now: datetime,
) -> int:
    """Store it among the events, in state `conflict` and once; its id. It is never applied (L4)."""
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
