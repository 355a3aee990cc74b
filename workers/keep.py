"""The adapters' sealed memory, in PostgreSQL."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from channels.base import AuthExpired, RetryLater
from inventory import leases
from inventory.models import ChannelSecret
from inventory.security import SecretUnreadable, Vault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from inventory.clock import Clock
    from inventory.db import Database

LOCK_SECONDS = 30
LOOK_AGAIN_SECONDS = 0.1


class DatabaseKeep:
    """See `channels.keep.Keep`."""

    def __init__(self, database: Database, vault: Vault, clock: Clock, *, channel_id: int) -> None:
        self._database, self._vault, self._clock = database, vault, clock
        self._channel_id = channel_id

    async def get(self, name: str) -> str | None:
        """What was kept. Raises `AuthExpired` where another secret key sealed it."""
        async with self._database.sessions() as session:
            sealed = await session.scalar(
                select(ChannelSecret.sealed).where(
                    ChannelSecret.channel_id == self._channel_id, ChannelSecret.name == name
                )
            )
        if sealed is None:
            return None
        try:
            text = self._vault.open(sealed)["text"]
        except SecretUnreadable as error:
            raise AuthExpired(f"{name}: {error}") from error
        return str(text)

    async def put(self, name: str, text: str) -> None:
        """See `Keep`."""
        values = {"sealed": self._vault.seal({"text": text}), "changed_at": self._clock.now()}
        async with self._database.transaction() as session:
            await session.execute(
                insert(ChannelSecret)
                .values(channel_id=self._channel_id, name=name, **values)
                .on_conflict_do_update(index_elements=["channel_id", "name"], set_=values)
            )

    @asynccontextmanager
    async def lock(self, name: str) -> AsyncIterator[None]:
        """See `Keep`; a holder that died loses it after `LOCK_SECONDS`."""
        holder, lease = uuid4().hex, f"keep:{self._channel_id}:{name}"
        await self._take(lease, holder)
        try:
            yield
        finally:
            async with self._database.transaction() as session:
                await leases.give_back(session, lease, holder=holder)

    async def _take(self, lease: str, holder: str) -> None:
        ends = asyncio.get_running_loop().time() + LOCK_SECONDS
        while asyncio.get_running_loop().time() < ends:
            async with self._database.transaction() as session:
                if await leases.take(
                    session, lease, holder=holder, seconds=LOCK_SECONDS, now=self._clock.now()
                ):
                    return
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
        raise RetryLater(f"{lease} is held by another worker")
