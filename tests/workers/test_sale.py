"""One sale on a channel lowers every other channel, through the real adapters."""

from __future__ import annotations

import pytest

from tests.workers.night import KINDS, Night


@pytest.mark.parametrize("kind", KINDS)
async def test_a_sale_lowers_every_other_channel(night: Night, kind: str) -> None:
    await night.open(units=10)

    ref = night.buy(kind, 3)
    await night.pulled(kind, ref)
    await night.round()

    assert await night.stock() == (10, 3)
    assert night.shown() == dict.fromkeys(KINDS, 7)
    assert {each: night.writes(each) for each in KINDS} == {
        each: [] if each == kind else [(10, 7)] for each in KINDS
    }
