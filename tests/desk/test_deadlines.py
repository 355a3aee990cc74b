"""By when a proposal must be decided, who is told before, and what the policy does at it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from inventory.desk import deadlines
from inventory.models import Alert, Cancellation, SalesOrder
from inventory.vocabulary import Kind, OrderLine, OrderSeen
from tests.desk.conftest import Floor
from tests.desk.offers import NOW

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("kind", "ship_by", "expected"),
    [
        (Kind.YAHOO, None, 24 * HOUR),
        (Kind.YAHOO, 3 * DAY, 2 * DAY),
        (Kind.YAHOO, 5 * HOUR, HOUR),
        (Kind.YAHOO, -9 * DAY, HOUR),
        (Kind.AMAZON, -3 * DAY, HOUR),
        (Kind.AMAZON, -7 * DAY + 90 * timedelta(minutes=1), 30 * timedelta(minutes=1)),
        (Kind.AMAZON, -7 * DAY, timedelta()),
    ],
)
def test_a_day_before_the_order_is_due_and_never_after_amazon_ends_it(
    kind: Kind, ship_by: timedelta | None, expected: timedelta
) -> None:
    moment = None if ship_by is None else NOW + ship_by
    assert deadlines.decide_by(kind, moment, hours=24, now=NOW) == NOW + expected


async def short(floor: Floor, policy: str, **order: Any) -> None:
    """One mug sold at Amazon that is not there; the shop has this policy."""
    await floor.set_channel("amazon", desk_policy=policy)
    await floor.sell("amazon", "o-1", **order)
    await floor.work()


async def test_at_the_deadline_the_policy_decides_and_a_person_was_told_before(
    floor: Floor,
) -> None:
    await short(floor, "auto_at_deadline", ship_by=floor.clock.now() + 3 * DAY)
    assert await floor.states() == {"o-1": "proposed"}
    assert await floor.messages("shipping.hold") == ["o-1"]

    floor.later(43 * 3600)
    await floor.work()
    assert "escalated" not in await floor.steps()
    floor.later(2 * 3600)
    await floor.work(2)
    assert (await floor.steps()).count("escalated") == 1
    assert "given up by policy then" in (await floor.step("escalated"))["why"]
    assert "cancellation_overdue" in await floor.alerts()
    assert await floor.states() == {"o-1": "proposed"}

    floor.later(3 * 3600)
    await floor.work()
    floor.later(3)
    await floor.work()

    row = await floor.cancellation("o-1")
    assert (row.state, row.decided_by) == ("confirmed", "policy")
    assert (await floor.step("approved"))["why"] == "nobody decided by the deadline"
    assert await floor.alerts() == []


async def test_under_review_a_deadline_escalates_and_decides_nothing(floor: Floor) -> None:
    await short(floor, "review", ship_by=floor.clock.now() + 3 * DAY)

    floor.later(72 * 3600)
    await floor.work(2)

    assert await floor.states() == {"o-1": "proposed"}
    assert (await floor.step("escalated"))["why"].endswith("nothing happens by itself then")
    await floor.decide("o-1", approve=False)
    assert "cancellation_overdue" not in await floor.alerts()


async def test_an_order_whose_buyer_has_asked_is_never_ended_by_the_deadline(
    floor: Floor,
) -> None:
    await short(
        floor,
        "auto_at_deadline",
        ship_by=floor.clock.now() + 2 * DAY,
        buyer_asked_to_cancel=True,
    )

    floor.later(72 * 3600)
    await floor.work(2)

    assert await floor.states() == {"o-1": "proposed"}


async def test_before_amazon_ends_an_order_by_itself_a_person_is_called(floor: Floor) -> None:
    await short(floor, "review", ship_by=floor.clock.now() + 3 * DAY)
    await floor.decide("o-1", approve=False)
    await floor.work()
    assert "order_lapses" not in await floor.alerts()

    floor.later((3 + 5) * 24 * 3600)
    await floor.work(2)
    assert "order_lapses" in await floor.alerts()
    await floor.receive("MUG", 1)
    await floor.work()

    assert "order_lapses" not in await floor.alerts()


async def sold_at_once(floor: Floor, count: int, **order: Any) -> None:
    """So many orders of one mug each at Amazon, none of which is there, in few pulls."""
    now = floor.clock.now()
    mug = (OrderLine(line_ref="1", channel_sku="MUG", quantity=1, unit_price=1000),)
    orders = [
        OrderSeen(order_ref=f"a-{n}", ordered_at=now, observed_at=now, lines=mug, **order)
        for n in range(count)
    ]
    for start in range(0, count, 100):
        await floor.pull("amazon", *orders[start : start + 100])


async def at_the_deadline(floor: Floor) -> int:
    """What is done by the clock, and nothing else."""
    async with floor.database.transaction() as session:
        return await deadlines.tend(session, floor.clock.now())


async def test_however_many_orders_lapse_each_has_one_alert(floor: Floor) -> None:
    lapsing = deadlines.DUE_MAX + 5
    await sold_at_once(floor, lapsing, ship_by=floor.clock.now() - 6 * DAY)

    done = [await at_the_deadline(floor) for _ in range(4)]
    assert done == [deadlines.DUE_MAX, 5, 0, 0]
    [first, *others] = await floor.rows(select(Alert).where(Alert.kind == "order_lapses"))
    assert len(others) == lapsing - 1
    assert {row.state for row in (first, *others)} == {"open"}

    await floor.receive("MUG", lapsing)
    assert [await at_the_deadline(floor) for _ in range(3)] == [deadlines.DUE_MAX, 5, 0]
    assert "order_lapses" not in await floor.alerts()


async def test_an_order_that_is_short_of_two_skus_has_one_alert(floor: Floor) -> None:
    late = floor.clock.now() - 6 * DAY
    await floor.sell("amazon", "o-1", {"MUG": 1, "TEE": 1}, ship_by=late)

    assert await at_the_deadline(floor) == 1
    assert await at_the_deadline(floor) == 0
    assert await floor.alerts() == ["order_lapses"]


async def test_proposals_that_wait_for_a_person_do_not_keep_others_from_their_deadline(
    floor: Floor,
) -> None:
    await sold_at_once(floor, deadlines.DUE_MAX + 1)
    await floor.set_channel("amazon", desk_policy="review")
    await floor.set_channel("rakuten", desk_policy="auto_at_deadline")
    await floor.sell("rakuten", "o-1")
    now = floor.clock.now()
    async with floor.database.transaction() as session:
        for order in await session.scalars(select(SalesOrder).order_by(SalesOrder.id)):
            # Those at Amazon are a day over their deadline, the one at Rakuten has just come to it.
            by = now if order.channel_id == floor.ids["rakuten"] else now - DAY
            await session.execute(
                insert(Cancellation).values(
                    channel_id=order.channel_id,
                    order_id=order.id,
                    state="proposed",
                    reason="out_of_stock",
                    reason_code="",
                    proposed_at=now - 2 * DAY,
                    decide_by=by,
                )
            )

    done = [await at_the_deadline(floor) for _ in range(3)]

    assert done == [deadlines.DUE_MAX, 2, 0]
    assert (await floor.cancellation("o-1")).state == "approved"
