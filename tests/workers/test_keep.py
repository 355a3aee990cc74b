"""Tokens outlive the process that got them, sealed, and change under one lock."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select

from channels.base import AuthExpired
from inventory.clock import Clock
from inventory.db import Database
from inventory.models import ChannelSecret
from inventory.security import Vault
from tests.conftest import Save
from tests.factories import ChannelFactory
from workers.keep import DatabaseKeep

KEY, OTHER = "k" * 40, "o" * 40


def keep_of(database: Database, channel_id: int, key: str = KEY) -> DatabaseKeep:
    """The memory as another worker has it."""
    return DatabaseKeep(database, Vault(key), Clock(), channel_id=channel_id)


async def test_what_was_put_last_is_found_by_another_worker(database: Database, save: Save) -> None:
    channel = ChannelFactory.build()
    await save(channel)
    mine, other = keep_of(database, channel.id), keep_of(database, channel.id)
    assert await other.get("refresh_token") is None
    await mine.put("refresh_token", "first")
    await mine.put("refresh_token", "second")
    assert await other.get("refresh_token") == "second"
    async with database.sessions() as session:
        sealed = await session.scalar(select(ChannelSecret.sealed))
    assert b"second" not in (sealed or b"")


async def test_another_secret_key_asks_for_a_person(database: Database, save: Save) -> None:
    channel = ChannelFactory.build()
    await save(channel)
    await keep_of(database, channel.id).put("refresh_token", "first")
    with pytest.raises(AuthExpired, match="another secret key"):
        await keep_of(database, channel.id, OTHER).get("refresh_token")


async def test_one_worker_at_a_time_changes_a_token(database: Database, save: Save) -> None:
    channel = ChannelFactory.build()
    await save(channel)
    await keep_of(database, channel.id).put("count", "0")

    async def raise_by_one() -> None:
        keep = keep_of(database, channel.id)
        async with keep.lock("count"):
            count = int(await keep.get("count") or 0)
            await asyncio.sleep(0)
            await keep.put("count", str(count + 1))

    await asyncio.gather(*(raise_by_one() for _ in range(5)))
    assert await keep_of(database, channel.id).get("count") == "5"
