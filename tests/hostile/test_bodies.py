"""Answers under a good status that are none: an error inside, cut, huge, in another charset."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from channels import bodies
from tests.hostile.story import Story
from tests.workers.night import KINDS

TOO_MANY_MB = bodies.BODY_BYTES_MAX // 1_000_000 + 1


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"error_inside": 1}, id="an error inside"),
        pytest.param({"truncated": 1}, id="cut in the middle"),
        pytest.param({"wrong_charset": 1}, id="another charset"),
        pytest.param({"huge_mb": TOO_MANY_MB}, id="huge"),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
async def test_no_number_and_no_order_is_taken_from_a_spoiled_answer(
    story: Callable[[str], Story], kind: str, fault: dict[str, float]
) -> None:
    told = story(kind)
    await told.through(**fault)

    await told.named()
    assert await told.night.units_sold() == 1  # the other shop's
    await told.recovered()
    assert told.night.shown() == {kind: 12, told.well: 12}
