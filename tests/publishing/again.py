"""A shop that is pushed again."""

from __future__ import annotations

from sqlalchemy import select

from inventory import resyncs
from inventory.models import Channel, ResyncMark
from inventory.publishing import Claim
from inventory.resyncs import Progress
from tests.conftest import Save
from tests.factories import ListingFactory
from tests.publishing.shop import Shop


class Again(Shop):
    """A shop whose first channel is pushed again."""

    async def start(self) -> int:
        async with self.database.transaction() as session:
            return await resyncs.start(session, await self.code(), by="mori", now=self.clock.now())

    async def code(self) -> str:
        async with self.database.sessions() as session:
            return (await session.get_one(Channel, self.x.channel_id)).code

    async def progress(self) -> Progress:
        async with self.database.sessions() as session:
            return await resyncs.progress(session, await self.code(), self.clock.now())

    async def claim_again(self, *, most: int = 400) -> Claim | None:
        async with self.database.transaction() as session:
            return await resyncs.claim(
                session,
                self.x.channel_id,
                most=most,
                margins=self.margins,
                now=self.clock.now(),
            )

    async def marks(self) -> int:
        async with self.database.sessions() as session:
            return len(list(await session.scalars(select(ResyncMark))))

    async def listed(self, save: Save, count: int, *, published: bool = True) -> None:
        """More listings of the same SKU on the first channel, in sync unless never published."""
        now = self.clock.now()
        known = {"known_from": now, "known_at": now, "quantity_known": 10 if published else 3}
        rows = [
            ListingFactory.build(
                channel_id=self.x.channel_id,
                sku_id=self.x.sku_id,
                channel_sku=f"X-{number:04}",
                revision_wanted=1,
                revision_published=1,
                quantity_wanted=10 if published else 3,
                published_at=now if published else None,
                **known,
            )
            for number in range(count)
        ]
        await save(*rows)
