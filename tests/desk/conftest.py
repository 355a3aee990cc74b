"""A shop floor for the desk: SKUs, four marketplaces in memory, orders that come in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, text, update
from typer.testing import CliRunner, Result

from channels.base import Adapter
from inventory import leases
from inventory.cli import app
from inventory.db import Database
from inventory.facts import AdjustReason, StockAdjusted, StockReceived
from inventory.inbox import Inbox
from inventory.ledger import Ledger
from inventory.models import (
    Alert,
    Cancellation,
    Channel,
    Message,
    Oversell,
    OversellStep,
    PenaltyEntry,
    SalesOrder,
    Sku,
    StockLevel,
    WebhookEndpoint,
)
from inventory.oversells import decide_cancellation
from inventory.vocabulary import Kind, OrderLine, OrderSeen
from tests.conftest import HandClock, Save
from tests.desk.mall import Mall
from tests.factories import ChannelFactory, ListingFactory, SkuFactory
from workers import desk

Hikiate = Callable[..., Awaitable[Result]]
LEASE_SECONDS = 120
# Prices at which every order costs the same, so that a story's newest order is the one to go.
ALL_ALIKE = {"as_of": "2026-11-20", "margin_percent": 0.0, "order_yen": 0, "late_yen": 0}
NO_LIMIT = {"count_yen": 0, "approach_percent": 0.0, "beyond_yen": 0}
ALIKE: dict[Kind, dict[str, Any]] = {
    Kind.RAKUTEN: ALL_ALIKE | NO_LIMIT | {"fines_yen": [0]},
    Kind.YAHOO: ALL_ALIKE | NO_LIMIT | {"breach_yen": 0},
    Kind.AMAZON: ALL_ALIKE | NO_LIMIT | {"breach_yen": 0},
    Kind.SHOPIFY: ALL_ALIKE | {"fee_percent": 0.0},
}


class Floor:
    """The house as the desk sees it, and the words in which its stories are told."""

    def __init__(self, database: Database, ledger: Ledger, inbox: Inbox, clock: HandClock) -> None:
        self.database = database
        self.ledger = ledger
        self.inbox = inbox
        self.clock = clock
        self.malls: dict[str, Mall] = {}
        self.ids: dict[str, int] = {}
        self.rings: list[tuple[Any, ...]] = []

    async def adapter(self, channel_id: int) -> Adapter:
        """The mall of a channel."""
        [mall] = [self.malls[code] for code, known in self.ids.items() if known == channel_id]
        return mall

    @asynccontextmanager
    async def lease(self, name: str) -> AsyncIterator[bool]:
        """A lease in the database, as workers take it."""
        holder = uuid4().hex
        async with self.database.transaction() as session:
            mine = await leases.take(
                session, name, holder=holder, seconds=LEASE_SECONDS, now=self.clock.now()
            )
        try:
            yield mine
        finally:
            async with self.database.transaction() as session:
                await leases.give_back(session, name, holder=holder)

    def ring(self, name: str, *args: Any) -> None:
        """Remember who was rung for."""
        self.rings.append((name, *args))

    async def work(self, rounds: int = 1) -> int:
        """Let the desk work; how many things it did."""
        return sum([await desk.work(self) for _ in range(rounds)])

    def later(self, seconds: float) -> None:
        """Time passes."""
        self.clock.moment += timedelta(seconds=seconds)

    async def receive(self, sku: str, quantity: int) -> None:
        """Units arrive."""
        await self.ledger.apply(
            [
                StockReceived(
                    channel_id=0,
                    fact_ref=uuid4().hex,
                    occurred_at=self.clock.now(),
                    sku=sku,
                    quantity=quantity,
                )
            ]
        )

    async def damage(self, sku: str, quantity: int) -> None:
        """Units break."""
        await self.ledger.apply(
            [
                StockAdjusted(
                    channel_id=0,
                    fact_ref=uuid4().hex,
                    occurred_at=self.clock.now(),
                    sku=sku,
                    reason=AdjustReason.DAMAGE,
                    change=-quantity,
                )
            ]
        )

    async def sell(
        self, channel: str, order_ref: str, lines: dict[str, int] | None = None, **more: Any
    ) -> None:
        """A buyer orders, a second after the one before, and the pull brings it in."""
        self.later(1)
        told = tuple(
            OrderLine(line_ref=str(number), channel_sku=sku, quantity=units, unit_price=1000)
            for number, (sku, units) in enumerate((lines or {"MUG": 1}).items(), start=1)
        )
        now = self.clock.now()
        values: dict[str, Any] = {"order_ref": order_ref, "ordered_at": now, "observed_at": now}
        order = OrderSeen(**(values | {"lines": told} | more))
        self.malls[channel].orders[order_ref] = order
        await self.pull(channel, order)

    async def pull(self, channel: str, *orders: OrderSeen) -> None:
        """The pull brings orders in as they stand."""
        ids = await self.inbox.receive_orders(self.ids[channel], orders)
        await self.inbox.handle(ids)

    async def decide(self, order_ref: str, *, approve: bool, by: str = "mori") -> None:
        """A person decides about a proposal."""
        row = await self.cancellation(order_ref)
        async with self.database.transaction() as session:
            await decide_cancellation(session, row.id, approve=approve, by=by, now=self.clock.now())

    async def cancellation(self, order_ref: str) -> Cancellation:
        """The cancellation of an order."""
        row: Cancellation
        [row] = await self.rows(
            select(Cancellation)
            .join(SalesOrder, SalesOrder.id == Cancellation.order_id)
            .where(SalesOrder.order_ref == order_ref)
        )
        return row

    async def states(self) -> dict[str, str]:
        """The state of every cancellation by its order."""
        async with self.database.sessions() as session:
            rows = await session.execute(
                select(SalesOrder.order_ref, Cancellation.state)
                .join(SalesOrder, SalesOrder.id == Cancellation.order_id)
                .order_by(SalesOrder.order_ref)
            )
            return {row.order_ref: row.state for row in rows}

    async def rows(self, query: Any) -> list[Any]:
        """What a query finds."""
        async with self.database.sessions() as session:
            return list(await session.scalars(query))

    async def case(self, sku: str = "MUG") -> Oversell:
        """The newest case of a SKU."""
        found = await self.rows(
            select(Oversell)
            .join(Sku, Sku.id == Oversell.sku_id)
            .where(Sku.code == sku)
            .order_by(Oversell.id.desc())
        )
        case: Oversell = found[0]
        return case

    async def steps(self) -> list[str]:
        """All steps of all cases, in order."""
        return [
            step.step for step in await self.rows(select(OversellStep).order_by(OversellStep.id))
        ]

    async def step(self, name: str) -> dict[str, Any]:
        """What the one step of this name says."""
        [found] = await self.rows(select(OversellStep).where(OversellStep.step == name))
        detail: dict[str, Any] = found.detail
        return detail

    async def entries(self) -> list[Any]:
        """The penalties on record, in order; their documents are looked into by name."""
        return await self.rows(select(PenaltyEntry).order_by(PenaltyEntry.id))

    async def messages(self, event: str) -> list[str]:
        """The orders that messages of this kind speak of, in order."""
        rows = await self.rows(select(Message).where(Message.event == event).order_by(Message.id))
        return [row.body["order_ref"] for row in rows]

    async def alerts(self, state: str = "open") -> list[str]:
        """Kinds of alerts in this state."""
        rows = await self.rows(select(Alert).where(Alert.state == state).order_by(Alert.id))
        return [row.kind for row in rows]

    async def stock(self, sku: str = "MUG") -> tuple[int, int]:
        """On hand and reserved."""
        [level] = await self.rows(
            select(StockLevel).join(Sku, Sku.id == StockLevel.sku_id).where(Sku.code == sku)
        )
        return level.on_hand, level.reserved

    async def set_channel(self, code: str, **values: Any) -> None:
        """Settings of a channel."""
        async with self.database.transaction() as session:
            await session.execute(update(Channel).where(Channel.code == code).values(**values))

    async def set_wanted(self, quantity: int) -> None:
        """Publishing has noted what every listing should show."""
        async with self.database.transaction() as session:
            await session.execute(
                text("UPDATE listing SET quantity_wanted = :units"), {"units": quantity}
            )


@pytest.fixture
async def floor(
    database: Database, ledger: Ledger, inbox: Inbox, clock: HandClock, save: Save
) -> Floor:
    """MUG and TEE listed at four malls under the same names; a receiver of all messages.

    The desk decides by itself at every channel; each has been connected for a year and a half.
    No order costs more than another.
    """
    floor = Floor(database, ledger, inbox, clock)
    mug, tee = SkuFactory.build(code="MUG"), SkuFactory.build(code="TEE")
    channels = [
        ChannelFactory.build(
            code=kind.value,
            kind=kind.value,
            desk_policy="auto",
            costs=ALIKE[kind],
            connected_at=clock.now() - timedelta(days=550),
        )
        for kind in (Kind.RAKUTEN, Kind.YAHOO, Kind.AMAZON, Kind.SHOPIFY)
    ]
    await save(mug, tee, WebhookEndpoint(url="https://example.com", secret=b"-"), *channels)
    await save(
        *(
            ListingFactory.build(channel_id=channel.id, channel_sku=sku.code, sku_id=sku.id)
            for channel in channels
            for sku in (mug, tee)
        )
    )
    for channel in channels:
        floor.malls[channel.code] = Mall(Kind(channel.kind), clock)
        floor.ids[channel.code] = channel.id
    return floor


@pytest.fixture
async def rakuten(floor: Floor) -> Mall:
    """One mug too many is sold: o-2 at Rakuten is the newest, o-1 at Yahoo! the one before."""
    await floor.receive("MUG", 1)
    await floor.sell("yahoo", "o-1")
    await floor.sell("rakuten", "o-2")
    return floor.malls["rakuten"]


@pytest.fixture
def hikiate(database_url: str, valkey: str, monkeypatch: pytest.MonkeyPatch) -> Hikiate:
    """Runs a command in a thread of its own, as it makes a loop of its own."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", valkey)
    monkeypatch.setenv("HIKIATE_SECRET_KEY", "only for tests: forty characters or more")

    async def hikiate(*arguments: str) -> Result:
        return await asyncio.to_thread(lambda: CliRunner().invoke(app, arguments))

    return hikiate
