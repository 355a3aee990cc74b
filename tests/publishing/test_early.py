"""A number that fell before its orders are seen: held everywhere, until they are or will not be."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from inventory.models import Alert, Channel, Drift, EarlySale, Listing, StockReading
from inventory.reconcile import early, readings
from inventory.vocabulary import Reading
from tests.conftest import Save
from tests.publishing.shop import Shop


class Watched(Shop):
    """A shop whose numbers are read back whenever a story says so."""

    async def look(self, quantity: int | None, *, closed: bool = False) -> int:
        """X is read, and shows `quantity`; whether that differs."""
        asked_at = self.clock.now()
        answer = Reading(channel_sku="X", quantity=quantity, closed=closed)
        async with self.database.transaction() as session:
            differ = await readings.record(
                session,
                [self.x.id],
                [answer],
                asked_at=asked_at,
                margins=self.margins,
                now=self.later(0.1),
            )
        await self.refresh()
        return differ

    async def settle(self) -> int:
        async with self.database.transaction() as session:
            ended = await early.settle(session, self.x.channel_id, self.clock.now())
        await self.refresh()
        return ended

    async def wanted(self) -> tuple[int | None, int | None]:
        """What X and Y should show."""
        async with self.database.sessions() as session:
            rows = await session.scalars(select(Listing).order_by(Listing.channel_sku))
            x, y = rows
        return x.quantity_wanted, y.quantity_wanted

    async def cases(self) -> list[tuple[str, bool]]:
        """Every case: its cause, and whether it is open."""
        async with self.database.sessions() as session:
            rows = await session.scalars(select(Drift).order_by(Drift.id))
            return [(case.cause, case.closed_at is None) for case in rows]

    async def alarms(self) -> list[tuple[str, str]]:
        """Open alerts."""
        async with self.database.sessions() as session:
            rows = await session.scalars(select(Alert).where(Alert.state == "open"))
            return [(alert.kind, alert.detail["cause"]) for alert in rows]


@pytest.fixture
async def watched(shop: Shop, save: Save) -> Watched:
    """Ten mugs, shown on both channels; X was pulled half a minute ago."""
    watched = Watched(shop.database, shop.ledger, shop.clock, shop.margins)
    await watched.open(save, kind="amazon")
    async with watched.database.transaction() as session:
        await session.execute(
            update(Listing)
            .where(Listing.id == watched.y.id)
            .values(quantity_known=10, known_from=shop.clock.now(), known_at=shop.clock.now())
        )
    await watched.receive(0)
    await watched.refresh()
    return watched


async def test_units_sold_unseen_are_held_on_the_other_channel(watched: Watched) -> None:
    assert await watched.look(7) == 1
    assert await watched.wanted() == (7, 7)
    assert await watched.cases() == [("order_not_pulled", True)]
    assert await watched.alarms() == []


async def test_the_hold_ends_as_the_orders_arrive(watched: Watched) -> None:
    watched.later(5)
    moment = watched.clock.now()
    watched.later(5)
    await watched.look(7)
    watched.later(2)
    await watched.sell(watched.x, 2, "o-1", ordered_at=moment)
    await watched.refresh()
    # Two of the three are reserved now, the third is still held: never five, and never eight.
    assert await watched.wanted() == (7, 7)
    await watched.sell(watched.x, 1, "o-2", ordered_at=moment)
    await watched.refresh()
    assert await watched.wanted() == (7, 7)
    assert await watched.settle() == 0

    await watched.pulled()
    assert await watched.settle() == 1
    assert await watched.wanted() == (7, 7)
    assert await watched.cases() == [("order_not_pulled", False)]


async def test_the_hold_ends_when_the_watermark_passes_and_no_order_came(watched: Watched) -> None:
    await watched.look(7)
    watched.later(10)
    await watched.pulled()
    watched.later(1)
    await watched.refresh()
    assert await watched.wanted() == (10, 10)

    assert await watched.settle() == 1
    assert await watched.cases() == [("hand_edit", True)]
    assert await watched.alarms() == [("drift", "hand_edit")]
    # Our number goes out again, and only after the barrier.
    assert await watched.numbers() == []
    watched.later(1)
    await watched.pulled()
    assert await watched.numbers() == [(10, None)]
    watched.later(5)
    assert await watched.look(10) == 0
    assert await watched.cases() == [("hand_edit", False)]
    assert await watched.alarms() == []


async def test_falls_one_after_another_are_held_together(watched: Watched) -> None:
    await watched.look(9)
    watched.later(10)
    await watched.look(6)
    assert await watched.wanted() == (6, 6)
    watched.later(10)
    assert await watched.look(6) == 0
    assert await watched.wanted() == (6, 6)


async def test_what_the_ledger_knows_already_is_not_held(watched: Watched) -> None:
    watched.later(5)
    await watched.sell(watched.x, 3)
    watched.later(5)
    assert await watched.look(7) == 0
    assert await watched.wanted() == (7, 7)
    async with watched.database.sessions() as session:
        assert list(await session.scalars(select(EarlySale))) == []


async def test_a_number_as_old_as_its_orders_tells_nothing_early(watched: Watched) -> None:
    async with watched.database.transaction() as session:
        ahead = watched.clock.now() + timedelta(seconds=30)
        await session.execute(update(Channel).values(watermark=ahead))
    await watched.look(7)
    assert await watched.wanted() == (10, 10)
    assert await watched.cases() == [("hand_edit", True)]


async def test_a_frozen_channel_has_no_drift(watched: Watched) -> None:
    async with watched.database.transaction() as session:
        await session.execute(update(Channel).values(frozen=True))
    assert await watched.look(7) == 0
    assert await watched.cases() == []


async def test_a_hand_edit_upwards_is_taken_down_at_once(watched: Watched) -> None:
    await watched.look(15)
    assert await watched.cases() == [("hand_edit", True)]
    [(sent, _)] = await watched.numbers()
    assert sent == 10


async def test_a_listing_that_is_gone_and_one_that_is_closed(watched: Watched) -> None:
    await watched.look(None)
    assert await watched.cases() == [("mapping_error", True)]
    assert await watched.alarms() == [("drift", "mapping_error")]
    watched.later(61)
    await watched.look(10, closed=True)
    assert [cause for cause, _ in await watched.cases()] == ["closed_listing"]
    watched.later(61)
    await watched.look(10)
    assert await watched.cases() == [("closed_listing", False)]
    assert await watched.alarms() == []


async def test_readings_that_agree_leave_one_row(watched: Watched) -> None:
    for _ in range(3):
        watched.later(60)
        await watched.look(10)
    await watched.look(12)
    async with watched.database.sessions() as session:
        rows = list(await session.scalars(select(StockReading).order_by(StockReading.id)))
    assert [(row.quantity, row.agrees) for row in rows] == [(10, True), (12, False)]
