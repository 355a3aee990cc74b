"""Numbers typed by staff on a shop's own screen in mid-sale: found, told, and put right."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select

from inventory.models import Drift
from tests.hostile.story import PUSH_ROUNDS_MAX, Story
from tests.workers.night import KINDS, channel_sku
from workers import reconcile


@pytest.mark.parametrize("typed", [25, 4], ids=["up", "down"])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_hand_edit_in_mid_sale_is_put_right_and_no_sale_is_lost(
    story: Callable[[str], Story], kind: str, typed: int
) -> None:
    told = story(kind)
    night = told.night
    await told.open()
    night.buy(kind)
    await told.round()
    night.sandbox.hand_edit(kind, channel_sku(kind, "MUG"), typed)
    night.buy(kind, 2)
    # What is sold in the second of a reading is in doubt, and takes one reading more.
    await night.full_second()

    await found(told)
    # What fell might be orders to come, until a pull has seen that there are none.
    await told.round()
    await found(told)
    assert (await cases(told))[-1] == "hand_edit"

    night.buy(told.well)
    for _ in range(PUSH_ROUNDS_MAX):
        await told.round()
    assert night.shown() == {kind: 6, told.well: 6}
    await found(told)
    await told.recovered()
    assert await night.units_sold() == 4


async def found(told: Story) -> None:
    """The rotation comes round and reads the number back."""
    await told.night.execute(
        "UPDATE rotation SET ended_from = ended_from - interval '1 hour', due_at = NULL"
    )
    await reconcile.work(told.night.runtime, told.night.ids[told.kind])


async def cases(told: Story) -> list[str]:
    """The causes of all drift that was found, in order."""
    return [case.cause for case in await told.night.rows(select(Drift).order_by(Drift.id))]
