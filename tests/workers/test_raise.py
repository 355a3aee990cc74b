"""Numbers that go up again: the raise barrier with the channels' real watermarks (L7)."""

from __future__ import annotations

import pytest

from tests.workers.night import KINDS, Night, is_absolute


async def test_a_number_goes_up_only_after_a_pull_that_knows_the_sales_before(
    night: Night,
) -> None:
    await night.open(units=10)
    await night.receive("MUG", 5)

    await night.round()
    await night.round()

    absolute = [kind for kind in KINDS if is_absolute(kind)]
    assert night.shown() == {kind: 10 if kind in absolute else 15 for kind in KINDS}

    await night.agree(15)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_sale_not_seen_yet_is_not_given_back_by_a_raise(night: Night, kind: str) -> None:
    await night.open(kind, units=10)
    night.buy(kind, 4)
    await night.receive("MUG", 5)

    await night.agree(11)

    assert await night.stock() == (15, 4)
    # Never in between did buyers find a unit that was not there.
    assert max(after for _, after in night.writes(kind)) <= 11
