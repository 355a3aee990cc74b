"""The naive way: what an ordinary team writes, a transaction per sale with a row lock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from inventory.bench.load import Sell
from inventory.bench.place import Place
from inventory.bench.scenarios import Basket
from inventory.db import sqlalchemy_url
from inventory.models import Fact, StockLevel, StockMovement

POOL = 32


class SoldOut(Exception):
    """Raised inside the transaction, so that it is rolled back."""


@asynccontextmanager
async def naive(place: Place) -> AsyncIterator[Sell]:
    """Sell with SQLAlchemy sessions: SELECT FOR UPDATE, check, UPDATE, INSERT, COMMIT."""
    engine = create_async_engine(sqlalchemy_url(place.url), pool_size=POOL, max_overflow=0)
    sessions = async_sessionmaker(engine, expire_on_commit=False)

    async def sell(ref: str, basket: Basket) -> bool:
        try:
            async with sessions.begin() as session:
                await _sell(session, place, ref, basket)
        except SoldOut:
            return False
        return True

    try:
        yield sell
    finally:
        await engine.dispose()


async def _sell(session: AsyncSession, place: Place, ref: str, basket: Basket) -> None:
    levels = []
    # In one order, as everybody learns after the first deadlock.
    for number in sorted(basket):
        query = select(StockLevel).where(
            StockLevel.sku_id == place.sku_ids[number],
            StockLevel.location_id == place.location_id,
        )
        level = (await session.scalars(query.with_for_update())).one()
        if level.on_hand - level.reserved < 1:
            raise SoldOut
        level.reserved += 1
        level.revision += 1
        levels.append(level)
    now = datetime.now(UTC)
    fact = Fact(
        channel_id=place.channel_id,
        fact_ref=ref,
        kind="reserve",
        content_hash=hash(ref),
        recorded_at=now,
    )
    session.add(fact)
    await session.flush()
    session.add_all(
        StockMovement(
            fact_id=fact.id,
            revision=level.revision,
            recorded_at=now,
            occurred_at=now,
            sku_id=level.sku_id,
            location_id=level.location_id,
            on_hand_delta=0,
            reserved_delta=1,
            line=line,
            kind="reserve",
        )
        for line, level in enumerate(levels)
    )
