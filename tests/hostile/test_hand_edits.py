"""Numbers typed by staff on a shop's own screen in mid-sale: found, told, and put right."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select

from inventory.models import Drift
from tests.hostile.story import Story
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
    night.buy(told.well)
    await told.round()

    # The rotation reads the number back, and finds it.
    await reconcile.work(night.runtime, night.ids[kind])
    [case] = await night.rows(select(Drift))
    assert (case.cause, case.closed_at) == ("hand_edit", None)
    assert ("drift", f"listing:{kind}/{channel_sku(kind, 'MUG')}") in await night.alerts()

    for _ in range(2):
        await told.round()
    assert night.shown() == {kind: 6, told.well: 6}
    await night.execute(
        "UPDATE rotation SET ended_from = ended_from - interval '1 hour', due_at = NULL"
    )
    await reconcile.work(night.runtime, night.ids[kind])
    await told.recovered()
    assert await night.units_sold() == 4
