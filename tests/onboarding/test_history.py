"""Past orders are read for the metric, page by page, and no stock moves by them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from channels.base import AuthExpired, Rejected, RetryLater
from inventory import past_orders
from inventory.catalogue import ListingRow, put_listings
from inventory.facts import HOUSE_CHANNEL_ID, AdjustReason, StockCounted, StockOpened
from inventory.models import (
    Cancellation,
    Channel,
    HistoryReading,
    InboundEvent,
    OrderLine,
    SalesOrder,
    StockLevel,
    StockMovement,
)
from inventory.penalty_record import standings
from inventory.vocabulary import OrderSeen, Party
from tests.conftest import HandClock
from tests.factories import NOON, line, order_seen
from tests.onboarding.conftest import Connect
from tests.onboarding.fake_shop import FakeShop
from workers import desk, history
from workers.runtime import Runtime

DAY = timedelta(days=1)


def placed(number: int, *, days: int, **changes: Any) -> OrderSeen:
    """An order of the past: shipped unless told otherwise."""
    given: dict[str, Any] = {"lines": (line(shipped=2),), "hint": "700"}
    return order_seen(
        f"o-{number}", ordered_at=NOON - days * DAY, observed_at=NOON, **(given | changes)
    )


async def stock(runtime: Runtime) -> tuple[int, int]:
    """On hand and reserved, all in all."""
    async with runtime.database.sessions() as session:
        sums = select(func.sum(StockLevel.on_hand), func.sum(StockLevel.reserved))
        on_hand, reserved = (await session.execute(sums)).one()
    return on_hand or 0, reserved or 0


async def ask(runtime: Runtime, channel: Channel, days: int = 89) -> None:
    """Have the past read."""
    async with runtime.database.transaction() as session:
        await past_orders.ask(session, channel.id, days=days, now=runtime.clock.now())


async def listed(runtime: Runtime, channel: Channel) -> None:
    """The MUG is on sale, and ten of them were counted."""
    async with runtime.database.transaction() as session:
        rows = [ListingRow(channel_sku="R-MUG", sku="MUG")]
        await put_listings(session, channel.id, rows, by="mori", now=NOON)
    counted = StockOpened(
        channel_id=HOUSE_CHANNEL_ID,
        fact_ref="count-1",
        occurred_at=NOON,
        sku="MUG",
        on_hand=10,
        reason=AdjustReason.COUNT,
    )
    [outcome] = await runtime.ledger.apply([counted])
    assert outcome.status == "recorded", outcome


async def test_finished_orders_are_recorded_and_move_nothing(
    runtime: Runtime, shop: FakeShop, connect: Connect
) -> None:
    channel = await connect(skus=("MUG",))
    await listed(runtime, channel)
    shop.past = [
        placed(1, days=80),
        placed(2, days=40, lines=(line(),), cancelled=True, cancelled_by=Party.BUYER),
        placed(3, days=3),
    ]
    await ask(runtime, channel)

    assert await history.work(runtime, channel.id) == 3

    assert await stock(runtime) == (10, 0)
    async with runtime.database.sessions() as session:
        orders = list(await session.scalars(select(SalesOrder).order_by(SalesOrder.order_ref)))
        movements = list(await session.scalars(select(StockMovement.kind)))
        lines = list(await session.scalars(select(OrderLine.listing_id)))
    assert [(order.order_ref, order.past, order.cancelled) for order in orders] == [
        ("o-1", True, False),
        ("o-2", True, True),
        ("o-3", True, False),
    ]
    # When it was cancelled no channel tells: it counts as of the day on which it was placed.
    assert orders[1].cancelled_at == NOON - 40 * DAY
    assert movements == ["adjust"]
    # A line that named its listing would count as sold there lately.
    assert lines == [None, None, None]


async def test_the_metric_says_that_its_history_is_incomplete_until_the_end(
    runtime: Runtime, shop: FakeShop, connect: Connect
) -> None:
    channel = await connect()
    shop.past = [
        placed(number, days=80 - number, lines=(line(),), cancelled=True, cancelled_by=Party.SELLER)
        for number in range(4)
    ]
    await ask(runtime, channel)

    async def metric() -> Any:
        async with runtime.database.sessions() as session:
            held = await session.get_one(Channel, channel.id)
            held.kind = "amazon"  # a rate of seven days; nothing is committed
            return await standings.metric_now(session, held, runtime.clock.now())

    read, pause = await history.page(runtime, channel.id)
    assert (read, pause is None) == (2, False)
    found = await metric()
    assert found.history_complete is False

    read, pause = await history.page(runtime, channel.id)
    assert (read, pause) == (2, None)
    found = await metric()
    assert found.history_complete is True
    await desk.work(runtime)

    async with runtime.database.sessions() as session:
        held = await session.get_one(Channel, channel.id)
        assert held.history_from == NOON - 89 * DAY
        observed = await session.scalar(
            select(func.count()).where(Cancellation.state == "observed")
        )
        assert observed == 4


async def test_an_order_that_is_still_open_is_booked_as_reserved(
    runtime: Runtime, shop: FakeShop, connect: Connect
) -> None:
    channel = await connect(skus=("MUG",))
    await listed(runtime, channel)
    shop.past = [
        placed(1, days=60, lines=(line(quantity=3),), hint="300"),
        # One of three left before the shelves were counted.
        placed(2, days=50, lines=(line(quantity=3, shipped=1),), hint="300"),
    ]
    await ask(runtime, channel)

    await history.work(runtime, channel.id)

    assert await stock(runtime) == (10, 5)


async def test_what_we_hold_and_what_the_pull_brings_is_left_alone(
    runtime: Runtime, shop: FakeShop, connect: Connect
) -> None:
    channel = await connect(skus=("MUG",))
    await listed(runtime, channel)
    held = order_seen("o-1", ordered_at=NOON - DAY, observed_at=NOON)
    await runtime.inbox.receive_orders(channel.id, [held])
    await runtime.inbox.handle()
    later = order_seen("o-2", ordered_at=NOON + DAY, observed_at=NOON + DAY)
    shop.past = [placed(1, days=1), later]
    await ask(runtime, channel)

    assert await history.work(runtime, channel.id) == 0

    assert await stock(runtime) == (10, 2)


async def test_a_past_order_that_the_pull_shows_again_still_moves_nothing(
    runtime: Runtime, shop: FakeShop, connect: Connect
) -> None:
    channel = await connect(skus=("MUG",))
    await listed(runtime, channel)
    shop.past = [placed(1, days=2)]
    await ask(runtime, channel)
    await history.work(runtime, channel.id)

    again = placed(1, days=2, hint="700 again", cancelled=True, cancelled_by=Party.SELLER)
    await runtime.inbox.receive_orders(channel.id, [again])
    await runtime.inbox.handle()

    assert await stock(runtime) == (10, 0)
    async with runtime.database.sessions() as session:
        [order] = await session.scalars(select(SalesOrder))
        assert (order.past, order.cancelled, order.revision) == (True, True, 2)


@pytest.mark.parametrize(
    ("error", "state", "seconds"),
    [
        (RetryLater("maintenance", seconds=90), "reading", 90),
        (AuthExpired("the key has ended"), "reading", 300),
        (Rejected("no past orders here"), "failed", None),
    ],
)
async def test_a_page_that_cannot_be_read_is_read_later_or_never(
    runtime: Runtime,
    shop: FakeShop,
    connect: Connect,
    clock: HandClock,
    error: Exception,
    state: str,
    seconds: int | None,
) -> None:
    channel = await connect()
    shop.past = [placed(number, days=9 - number) for number in range(3)]
    await ask(runtime, channel)
    await history.page(runtime, channel.id)
    shop.errors = [error]

    assert await history.work(runtime, channel.id) == 0

    async with runtime.database.sessions() as session:
        row = await session.get_one(HistoryReading, channel.id)
        assert (row.state, row.orders) == (state, 2)
        assert str(error) in (row.failure or "")
        assert await past_orders.due(session, clock.now()) == []
        held = await session.get_one(Channel, channel.id)
        assert held.history_from is None
    if seconds is not None:
        clock.moment += timedelta(seconds=seconds)
        async with runtime.database.sessions() as session:
            assert await past_orders.due(session, clock.now()) == [channel.id]
        assert await history.work(runtime, channel.id) == 1


async def test_asking_twice_reads_once(
    runtime: Runtime, shop: FakeShop, connect: Connect, clock: HandClock
) -> None:
    channel = await connect()
    shop.past = [placed(1, days=40)]
    await ask(runtime, channel, days=30)
    assert await history.work(runtime, channel.id) == 0
    clock.moment += timedelta(hours=1)

    await ask(runtime, channel, days=30)
    assert await history.work(runtime, channel.id) == 0
    # Further back than before: from the beginning.
    await ask(runtime, channel, days=60)

    assert await history.work(runtime, channel.id) == 1


async def test_what_cannot_be_booked_is_parked_for_a_person(
    runtime: Runtime, shop: FakeShop, connect: Connect
) -> None:
    channel = await connect()
    shop.past = [placed(1, days=4, lines=(line(quantity=2_000_000, shipped=2_000_000),))]
    await ask(runtime, channel)

    await history.work(runtime, channel.id)

    async with runtime.database.sessions() as session:
        [event] = await session.scalars(select(InboundEvent))
        assert (event.subject, event.state, event.code) == ("o-1", "parked", "bad_input")


async def test_only_the_first_count_is_taken_whatever_the_book_says(
    runtime: Runtime, connect: Connect
) -> None:
    channel = await connect(skus=("MUG",))
    await listed(runtime, channel)
    names: dict[str, Any] = {"channel_id": HOUSE_CHANNEL_ID, "sku": "MUG"}
    names["reason"] = AdjustReason.COUNT
    again = StockOpened(fact_ref="c-2", occurred_at=NOON + DAY, on_hand=99, **names)
    counted = StockCounted(fact_ref="c-2", occurred_at=NOON, on_hand=99, **names)

    [opened] = await runtime.ledger.apply([again])
    [late] = await runtime.ledger.apply([counted])

    assert (opened.status, opened.code) == ("refused", "stock_opened")
    assert (late.status, late.code) == ("refused", "counted_later")
    assert await stock(runtime) == (10, 0)
