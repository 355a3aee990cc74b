"""By when a proposal must be decided, who is told before, and what the policy does at it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from inventory.desk import deadlines
from inventory.vocabulary import Kind
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
