"""Orders of which only a part is short: the table's row for the part stands in the case."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from inventory.models import OversellStep
from tests.desk.conftest import Floor


async def noted(floor: Floor) -> list[dict[str, Any]]:
    """What the cases say of parts, in order."""
    query = select(OversellStep).where(OversellStep.step == "part_possible")
    return [step.detail for step in await floor.rows(query.order_by(OversellStep.id))]


@pytest.mark.parametrize(
    ("mall", "permitted", "code", "named"),
    [
        ("amazon", "adjust", "NoInventory", "then adjust the rest"),
        ("rakuten", "edit_lines", "", "consent"),
        ("yahoo", "edit_lines", "", "consent"),
        ("shopify", "edit_lines", "", "refunds the open lines"),
    ],
)
async def test_a_line_that_is_short_has_its_own_row(
    floor: Floor, mall: str, permitted: str, code: str, named: str
) -> None:
    await floor.set_channel(mall, desk_policy="review")
    await floor.receive("TEE", 5)
    await floor.receive("MUG", 1)
    await floor.sell(mall, "o-1", {"MUG": 2, "TEE": 1})

    await floor.work(3)

    [told] = await noted(floor)
    assert told["lines"] == [
        {"line_ref": "1", "sku": "MUG", "units": 2, "short": 1},
        {"line_ref": "2", "sku": "TEE", "units": 1, "short": 0},
    ]
    assert (told["permitted"], told["reason_code"]) == (permitted, code)
    assert named in told["do"]
    assert told["source"]
    assert await floor.states() == {"o-1": "proposed"}


async def test_an_order_that_is_short_as_a_whole_has_no_part(floor: Floor) -> None:
    await floor.set_channel("rakuten", desk_policy="review")
    await floor.sell("rakuten", "o-1", {"MUG": 1, "TEE": 1})

    await floor.work(2)

    assert await noted(floor) == []


async def test_it_is_noted_before_the_whole_order_goes(floor: Floor) -> None:
    await floor.receive("TEE", 5)
    await floor.sell("yahoo", "o-1", {"MUG": 1, "TEE": 1})

    await floor.work()

    steps = await floor.steps()
    assert steps.index("part_possible") < steps.index("submitted")
