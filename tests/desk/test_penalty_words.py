"""What a change does to a metric, in words: whether a limit is reached, and what is not known."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from msgspec import structs

from inventory.penalties import Metric
from inventory.penalty_record import words

BEFORE = Metric(
    name="rate",
    value=1.0,
    unit="percent",
    limit=2.5,
    as_of=date(2026, 11, 1),
    history_complete=True,
)
AS_OF = "(thresholds as of 2026-11-01)"


@pytest.mark.parametrize(
    ("before", "after", "limit", "crosses"),
    [
        (1.0, 2.0, 2.5, False),
        (1.0, 2.5, 2.5, True),
        (2.4, 3.0, 2.5, True),
        (2.5, 3.0, 2.5, False),
        (3.0, 3.5, 2.5, False),
        (None, 3.0, 2.5, True),
        (None, 1.0, 2.5, False),
        (1.0, None, 2.5, False),
        (1.0, 3.0, None, False),
    ],
)
def test_a_limit_is_crossed_by_what_reaches_it_from_below(
    before: float | None, after: float | None, limit: float | None, crosses: bool
) -> None:
    first, then = structs.replace(BEFORE, value=before), structs.replace(BEFORE, value=after)
    assert words.crosses(first, structs.replace(then, limit=limit)) is crosses


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"value": 2.0}, f"rate goes from 1 % to 2 % with the limit of 2.5 % {AS_OF}"),
        ({"value": 2.5}, f"rate goes from 1 % to 2.5 % and reaches the limit of 2.5 % {AS_OF}"),
        ({"value": 1.0}, f"rate stays at 1 % with the limit of 2.5 % {AS_OF}"),
        ({"value": None, "limit": None}, f"rate goes from 1 % to unknown {AS_OF}"),
        (
            {"value": 1.126, "limit": None, "history_complete": False},
            f"rate goes from 1 % to 1.13 % {AS_OF}; {words.INCOMPLETE}",
        ),
    ],
)
def test_a_change_in_one_sentence(changes: dict[str, Any], said: str) -> None:
    assert words.change(BEFORE, structs.replace(BEFORE, **changes)) == said


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "no"), (1, "one"), (12, "twelve"), (13, "13"), (-1, "-1")],
)
def test_a_number_as_it_is_spoken(number: int, said: str) -> None:
    assert words.count(number) == said
