"""More cases, and more proposals, than are read at once: none is left out, none is in the way."""

from __future__ import annotations

import pytest

from inventory import oversells
from inventory.desk import field
from tests.desk.conftest import Floor
from tests.desk.test_chosen_anew import ONE, shelf


async def test_a_case_beyond_the_first_page_is_tended_all_the_same(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those before it wait for a person."""
    monkeypatch.setattr(oversells, "CASES_MAX", 1)
    await floor.set_channel("rakuten", desk_policy="review")
    await floor.sell("rakuten", "o-1", {"MUG": 1})
    await floor.work()

    await floor.sell("yahoo", "o-2", {"TEE": 1})
    await floor.work()

    assert await floor.states() == {"o-1": "proposed", "o-2": "submitted"}


async def test_proposals_too_many_to_be_weighed_anew_stay_and_the_rest_comes_on_top(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(field, "ANEW_MAX", 0)
    # For two units the second order alone is cheaper than the other two together.
    await shelf(floor, ONE, {"MUG": 2, "TEE": 1}, {"MUG": 1, "TEE": 2})
    await floor.damage("MUG", 1)
    await floor.work()

    await floor.damage("MUG", 1)
    await floor.work()
    assert await floor.states() == {"o-1": "proposed", "o-3": "proposed"}

    steps = await floor.steps()
    await floor.work()
    assert await floor.steps() == steps
    await floor.receive("MUG", 2)
    await floor.work(2)
    assert set((await floor.states()).values()) == {"refused"}
    assert (await floor.case()).state == "closed"
