"""One SKU on two channels, with all that publishing does to one of its listings."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import update

from inventory import listings, publishing
from inventory.db import Database
from inventory.facts import OrderObserved, StockReceived
from inventory.ledger import Ledger
from inventory.listings import Margins
from inventory.models import Channel, Listing
from inventory.publishing import Claim
from inventory.reconcile import readings
from inventory.vocabulary import PushOutcome, PushStatus, Reading
from tests.conftest import HandClock, Save
from tests.factories import ChannelFactory, ListingFactory, SkuFactory, line, order_seen


class Shop:
    """One SKU listed as X on one channel and as Y on another, with what publishing does to X."""

    def __init__(
        self, database: Database, ledger: Ledger, clock: HandClock, margins: Margins
    ) -> None:
        self.database, self.ledger, self.clock, self.margins = database, ledger, clock, margins
        self.x: Listing
        self.y: Listing

    async def open(self, save: Save, *, kind: str = "rakuten", units: int = 10) -> None:
        """Receive the units; X is known to show them, and its channel was pulled just now."""
        now = self.clock.now()
        sku = SkuFactory.build(code="MUG")
        first = ChannelFactory.build(kind=kind, watermark=now, relative=kind == "shopify")
        second = ChannelFactory.build(kind="yahoo", watermark=now)
        await save(sku, first, second)
        known: dict[str, Any] = {"known_from": now, "known_at": now, "quantity_known": units}
        self.x = ListingFactory.build(
            channel_id=first.id, sku_id=sku.id, channel_sku="X", revision_wanted=1, **known
        )
        self.x.revision_published = 1
        self.y = ListingFactory.build(channel_id=second.id, sku_id=sku.id, channel_sku="Y")
        await save(self.x, self.y)
        await self.receive(units)
        self.later(30)
        await self.refresh()

    async def receive(self, units: int) -> None:
        await self.ledger.apply(
            [
                StockReceived(
                    channel_id=0,
                    fact_ref=f"in-{self.clock.now()}-{units}",
                    occurred_at=self.clock.now(),
                    sku="MUG",
                    quantity=units,
                )
            ]
        )

    async def sell(self, listing: Listing, units: int, ref: str = "o-1", **more: Any) -> None:
        """An order comes in from the listing's channel, placed now."""
        moment = {"ordered_at": self.clock.now(), "observed_at": self.clock.now()}
        order = order_seen(ref, lines=(line(listing.channel_sku, units),), **(moment | more))
        found = {listing.channel_sku: (listing.id, "MUG")}
        [outcome] = await self.ledger.apply(
            [OrderObserved(channel_id=listing.channel_id, order=order, listings=found)]
        )
        assert outcome.status.value == "recorded"

    def later(self, seconds: float) -> datetime:
        self.clock.moment += timedelta(seconds=seconds)
        return self.clock.moment

    async def refresh(self) -> None:
        async with self.database.transaction() as session:
            await listings.refresh(session, margins=self.margins, now=self.clock.now())
            await listings.reassess(session, margins=self.margins, now=self.clock.now())

    async def pulled(self) -> None:
        """X's channel has been pulled up to now."""
        async with self.database.transaction() as session:
            await session.execute(
                update(Channel)
                .where(Channel.id == self.x.channel_id)
                .values(watermark=self.clock.now())
            )

    async def claim(self, *, zero: bool = False) -> Claim | None:
        async with self.database.transaction() as session:
            return await publishing.claim(
                session,
                self.x.channel_id,
                zero=zero,
                most=100,
                margins=self.margins,
                now=self.clock.now(),
            )

    async def numbers(self, *, zero: bool = False) -> list[tuple[int, int | None]]:
        """Claim what may go out to X's channel now, have it accepted, and say what it was."""
        claim = await self.claim(zero=zero)
        if claim is None:
            return []
        await self.ended(claim)
        return [(push.quantity, push.change) for push in claim.pushes]

    async def ended(self, claim: Claim, status: PushStatus = PushStatus.ACCEPTED) -> None:
        outcomes = [
            PushOutcome(channel_sku=push.channel_sku, status=status) for push in claim.pushes
        ]
        async with self.database.transaction() as session:
            await publishing.finish(session, claim.push_id, outcomes, now=self.later(0.1))

    async def read(self, quantity: int | None, *, closed: bool = False) -> list[str]:
        """Read what is due on X's channel; every listing shows `quantity`. What was read."""
        async with self.database.transaction() as session:
            now = self.clock.now()
            due = await readings.due(session, self.x.channel_id, most=100, now=now)
            answers = [
                Reading(channel_sku=channel_sku, quantity=quantity, closed=closed)
                for _, channel_sku in due
            ]
            await readings.record(
                session,
                [listing_id for listing_id, _ in due],
                answers,
                asked_at=now,
                margins=self.margins,
                now=self.later(0.1),
            )
        return [channel_sku for _, channel_sku in due]

    async def stale(self) -> bool:
        async with self.database.sessions() as session:
            listing = await session.get_one(Listing, self.x.id)
        return listing.revision_published < listing.revision_wanted
