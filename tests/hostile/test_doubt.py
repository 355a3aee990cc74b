"""Changes that were made and never answered: read back, then decided, and never made twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.hostile.story import Story
from tests.workers.night import KINDS

HELD_SECONDS = 0.2


@pytest.mark.parametrize("kind", KINDS)
async def test_what_was_done_without_an_answer_is_not_done_again(
    story: Callable[[str], Story], kind: str
) -> None:
    told = story(kind)
    await told.through(timeout_after_apply=1, hold_s=HELD_SECONDS)

    await told.named()
    assert await told.night.units_sold() == 1
    await told.recovered()
    assert told.night.shown() == {kind: 12, told.well: 12}


@pytest.mark.parametrize("kind", KINDS)
async def test_an_unanswered_number_is_read_back_while_orders_go_on(
    story: Callable[[str], Story], kind: str
) -> None:
    told = story(kind)
    writes = {
        "rakuten": "bulk-upsert",
        "yahoo": "setStock",
        "amazon": "patchListingsItem",
        # One address serves everything there: the dice decide, orders included.
        "shopify": "graphql",
    }
    share = 0.5 if kind == "shopify" else 1
    fault = {"value": share, "endpoint": writes[kind]}
    await told.through(timeout_after_apply=fault)

    await told.recovered()
    assert told.night.shown() == {kind: 12, told.well: 12}
