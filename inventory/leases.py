"""Leases: who may do a piece of coarse work until when. Safety never rests on them, only thrift."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.models import Lease


async def take(
    session: AsyncSession, name: str, *, holder: str, seconds: float, now: datetime
) -> bool:
    """Take a free or overdue lease; False while another holds it."""
    until = now + timedelta(seconds=seconds)
    taken = await session.scalar(
        insert(Lease)
        .values(name=name, holder=holder, held_until=until)
        .on_conflict_do_update(
            index_elements=["name"],
            set_={"holder": holder, "held_until": until},
            where=Lease.held_until <= now,
        )
        .returning(Lease.name)
    )
    return taken is not None


async def give_back(session: AsyncSession, name: str, *, holder: str) -> None:
    """Give a lease back, if it is still ours."""
    await session.execute(delete(Lease).where(Lease.name == name, Lease.holder == holder))
