"""Orders that a shop shows three days after they were placed: booked once, and taken off then."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.hostile.agreement import agree
from tests.hostile.story import PUSH_ROUNDS_MAX, Story
from tests.workers.night import KINDS

THREE_DAYS = 72 * 3600.0
HOUR = 3600.0


# A list by last change (Amazon, Shopify) has an order at all because it counts as changed when it
# shows; that the real ones do so is UNCONFIRMED. What no list shows is found by its number only.
@pytest.mark.parametrize("kind", KINDS)
async def test_an_order_shown_three_days_late_is_booked_once(
    story: Callable[[str], Story], kind: str
) -> None:
    told = story(kind)
    night = told.night
    await told.open()
    told.strike(order_delay_s=THREE_DAYS + HOUR)
    night.sandbox.move_clock(-THREE_DAYS)
    late = night.buy(kind, 3)
    night.sandbox.move_clock(0)
    soon = night.buy(told.well)
    await night.execute("UPDATE listing SET read_after = now()")
    for _ in range(PUSH_ROUNDS_MAX):
        # The shop says that it has shown all orders, so a raise may give these units back.
        await night.pull_all()
        await night.rounds(1)
    assert await night.order(kind, late) is None
    assert await night.order(told.well, soon) is not None

    told.strike()
    await night.rested()
    order = await night.pulled(kind, late)
    for _ in range(PUSH_ROUNDS_MAX):
        await night.pull_all()
        await night.rounds(1)

    assert order.ordered_at is not None
    assert (order.recorded_at - order.ordered_at).total_seconds() > THREE_DAYS - HOUR
    await agree(night)
    assert night.shown() == {kind: 6, told.well: 6}
