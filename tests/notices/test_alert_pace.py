"""Measured sales: stock-out days are left out, and never make a SKU look slow."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory.alerting.pace import Pace, both, day_start, in_stock, pace, shares

FIRST = date(2026, 11, 1)
SINCE = day_start(FIRST)
DAYS = 4
UNTIL = SINCE + timedelta(days=DAYS)
HOURS = range(DAYS * 24)

# Moments at whole hours, from a day before the window to a day after it.
moments = st.lists(
    st.integers(-24, DAYS * 24 + 24).map(lambda hour: SINCE + timedelta(hours=hour)),
    unique=True,
    max_size=12,
).map(sorted)


def state_at(flips: list[datetime], *, now: bool, at: datetime) -> bool:
    """Whether it was in stock at a moment, by counting the changes since."""
    return now ^ bool(sum(flip > at for flip in flips) % 2)


@given(flips=moments, now=st.booleans())
def test_shares_are_what_a_walk_hour_by_hour_counts(flips: list[datetime], now: bool) -> None:
    spans = in_stock(flips, now_in_stock=now, since=SINCE, until=UNTIL)

    found = shares(spans)

    for day in range(DAYS):
        inside = [
            state_at(flips, now=now, at=SINCE + timedelta(days=day, hours=hour, minutes=30))
            for hour in range(24)
        ]
        assert found.get(FIRST + timedelta(days=day), 0.0) == pytest.approx(sum(inside) / 24)


@given(some=moments, others=moments, now=st.booleans(), then=st.booleans())
def test_both_is_where_each_is(
    some: list[datetime], others: list[datetime], now: bool, then: bool
) -> None:
    mine = in_stock(some, now_in_stock=now, since=SINCE, until=UNTIL)
    theirs = in_stock(others, now_in_stock=then, since=SINCE, until=UNTIL)

    found = both(mine, theirs)

    for hour in HOURS:
        at = SINCE + timedelta(hours=hour, minutes=30)
        expected = state_at(some, now=now, at=at) and state_at(others, now=then, at=at)
        assert any(start <= at < end for start, end in found) == expected
    assert found == both(theirs, mine)


day_numbers = st.integers(0, 27)
units = st.dictionaries(day_numbers, st.integers(0, 1000))


def on(days: dict[int, int]) -> dict[date, int]:
    return {FIRST + timedelta(days=day): count for day, count in days.items()}


def test_no_example_is_a_race_against_the_machine() -> None:
    assert settings.default is not None
    assert settings.default.deadline is None


@given(sold=units)
def test_always_in_stock_is_the_plain_mean(sold: dict[int, int]) -> None:
    found = pace(on(sold), {FIRST + timedelta(days=day): 1.0 for day in range(28)})

    assert found is not None
    assert found.per_day == pytest.approx(sum(sold.values()) / 28)


@given(
    sold=units,
    share_of=st.dictionaries(day_numbers, st.floats(0, 1), min_size=2),
    out=day_numbers,
    share=st.floats(0, 0.499),
    more=st.integers(0, 10_000),
)
def test_a_stock_out_day_changes_nothing(
    sold: dict[int, int], share_of: dict[int, float], out: int, share: float, more: int
) -> None:
    others = {day: each for day, each in share_of.items() if day != out}
    named = {FIRST + timedelta(days=day): each for day, each in others.items()}
    without = pace(on({day: each for day, each in sold.items() if day != out}), named)

    found = pace(on(sold | {out: more}), named | {FIRST + timedelta(days=out): share})

    assert found == without


def test_a_day_in_stock_for_half_of_it_counts_by_half() -> None:
    sold = {FIRST: 6, FIRST + timedelta(days=1): 3}
    assert pace(sold, {FIRST: 1.0, FIRST + timedelta(days=1): 0.5}) == Pace(sold=9, days=1.5)


def test_less_than_one_day_in_stock_says_nothing() -> None:
    assert pace({FIRST: 40}, {FIRST: 0.9}) is None
    assert pace({}, {}) is None
