"""Storms of 429 and 503: the shop is left alone, the others go on, and nothing piles up."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.hostile.story import Story
from tests.workers.night import KINDS

PAUSE_SECONDS = 120


@pytest.mark.parametrize("storm", ["throttle_rate", "error_rate"])
@pytest.mark.parametrize("kind", KINDS)
async def test_after_a_storm_the_books_agree(
    story: Callable[[str], Story], kind: str, storm: str
) -> None:
    told = story(kind)
    await told.through(**{storm: 1, "retry_after_s": PAUSE_SECONDS})

    await told.named()
    assert told.night.writes(kind) == []
    await told.recovered()
    assert told.night.shown() == {kind: 12, told.well: 12}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_shop_that_answers_every_other_call_loses_no_sale(
    story: Callable[[str], Story], kind: str
) -> None:
    told = story(kind)
    await told.through(throttle_rate=0.3, error_rate=0.3)

    await told.recovered()
    assert told.night.shown() == {kind: 12, told.well: 12}
