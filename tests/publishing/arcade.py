"""Several SKUs on several channels, fed by several locations, and the number each should show."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import select

from inventory import alerts, listings, shortages
from inventory.db import Database
from inventory.facts import (
    Condition,
    Fact,
    OrderObserved,
    ReturnAccepted,
    StockReceived,
    StockTransferred,
    SupplyExpected,
)
from inventory.ledger import Ledger
from inventory.listings import Margins
from inventory.models import Channel, Listing, Location, Sku
from inventory.reports import channels
from tests.conftest import HandClock, Save
from tests.factories import ChannelFactory, ListingFactory, SkuFactory, line, order_seen


class Arcade:
    """Shops side by side. A listing is called by its channel and its SKU: `rmart/MUG`."""

    def __init__(
        self, database: Database, ledger: Ledger, clock: HandClock, margins: Margins, save: Save
    ) -> None:
        self.database, self.ledger, self.clock, self.margins = database, ledger, clock, margins
        self.save = save

    async def skus(self, **safety_stock: int) -> None:
        """Add SKUs, each with its safety stock."""
        await self.save(
            *(SkuFactory.build(code=code, safety_stock=n) for code, n in safety_stock.items())
        )

    async def places(self, *codes: str) -> None:
        """Add sellable locations."""
        await self.save(*(Location(code=code) for code in codes))

    async def shop(
        self, code: str, *skus: str, locations: tuple[str, ...] = (), **rules: Any
    ) -> None:
        """Add a channel, fed by these locations, that lists these SKUs by these rules."""
        async with self.database.transaction() as session:
            rows = await session.execute(select(Location.code, Location.id))
            ids = dict(rows.all())
            channel = ChannelFactory.build(
                code=code, watermark=self.clock.now(), connected_at=self.clock.now()
            )
            channel.location_ids = [ids[place] for place in locations] or None
            session.add(channel)
            await session.flush()
            for sku in skus:
                sku_id = await session.scalar(select(Sku.id).where(Sku.code == sku))
                session.add(
                    ListingFactory.build(
                        channel_id=channel.id, channel_sku=sku, sku_id=sku_id, **rules
                    )
                )

    async def tell(self, *facts: Fact) -> None:
        """Facts that must be recorded."""
        for outcome in await self.ledger.apply(facts):
            assert outcome.status.value == "recorded", outcome

    def named(self) -> dict[str, Any]:
        """Who tells it, under a new name, now."""
        return {"channel_id": 0, "fact_ref": uuid4().hex, "occurred_at": self.clock.now()}

    async def receive(self, sku: str, quantity: int, location: str | None = None) -> None:
        """Units arrive."""
        await self.tell(
            StockReceived(sku=sku, quantity=quantity, location=location, **self.named())
        )

    async def spoil(self, sku: str, quantity: int) -> None:
        """Units come back damaged."""
        damaged = Condition.DAMAGED
        await self.tell(
            ReturnAccepted(sku=sku, quantity=quantity, condition=damaged, **self.named())
        )

    async def carry(self, sku: str, quantity: int, here: str, there: str) -> None:
        """Units move at once."""
        await self.tell(
            StockTransferred(
                sku=sku, quantity=quantity, from_location=here, to_location=there, **self.named()
            )
        )

    async def expect(self, supply_ref: str, sku: str, quantity: int) -> None:
        """A supplier promises units for next week."""
        due_on = (self.clock.now() + timedelta(days=7)).date()
        await self.tell(
            SupplyExpected(
                supply_ref=supply_ref, sku=sku, quantity=quantity, due_on=due_on, **self.named()
            )
        )

    async def sell(self, listing: str, units: int, ref: str) -> None:
        """An order comes in from the listing's channel."""
        self.clock.moment += timedelta(seconds=1)
        shop, sku = listing.split("/")
        now = self.clock.now()
        order = order_seen(ref, lines=(line(sku, units),), ordered_at=now, observed_at=now)
        async with self.database.sessions() as session:
            row = (
                await session.scalars(
                    select(Listing)
                    .join(Channel, Channel.id == Listing.channel_id)
                    .where(Channel.code == shop, Listing.channel_sku == sku)
                )
            ).one()
        await self.tell(
            OrderObserved(channel_id=row.channel_id, order=order, listings={sku: (row.id, sku)})
        )

    async def refresh(self) -> list[int]:
        """What the worker does with stale marks; the SKUs that were worked out anew."""
        now = self.clock.now()
        async with self.database.transaction() as session:
            sku_ids = await listings.refresh(session, margins=self.margins, now=now)
            await alerts.evaluate(session, sku_ids, now)
            doubtful = await shortages.doubtful(session, sku_ids)
        await shortages.judge(self.database, doubtful, now)
        return sku_ids

    async def wanted(self) -> dict[str, int | None]:
        """What every listing should show, once the stale marks are worked off."""
        await self.refresh()
        async with self.database.sessions() as session:
            rows = await session.execute(
                select(Channel.code, Listing.channel_sku, Listing.quantity_wanted)
                .join(Channel, Channel.id == Listing.channel_id)
                .order_by(Listing.id)
            )
            return {f"{code}/{sku}": wanted for code, sku, wanted in rows}

    async def why(self, listing: str) -> str:
        """The sentence that explains a listing's number."""
        shop, sku = listing.split("/")
        async with self.database.sessions() as session:
            channel_id = await session.scalar(select(Channel.id).where(Channel.code == shop))
            assert channel_id is not None
            shown = await channels.availability(session, channel_id, sku, self.clock.now())
        return shown.why
