"""What to order by when: equal to a walk day by day, in whole packs, with one sentence why."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.alerting.advice import AHEAD_DAYS_MAX, Inbound, Situation, advise, days_of_cover
from inventory.alerting.why import why, why_ja

TODAY = date(2026, 11, 21)


def inbound(after: int, units: int) -> Inbound:
    due_on = TODAY + timedelta(days=after)
    return Inbound(due_on=due_on, units=units, late=after < 0)


situations = st.builds(
    Situation,
    today=st.just(TODAY),
    available=st.integers(-30, 200),
    per_day=st.integers(0, 20).map(float),
    inbound=st.lists(st.builds(inbound, st.integers(-3, 40), st.integers(1, 100)), max_size=4).map(
        tuple
    ),
    lead_days=st.integers(0, 20),
    cover_days=st.integers(1, 30),
    pack_size=st.integers(1, 24),
)


def walk(case: Situation, ordered: int) -> list[float]:
    """Stock at the end of each day from the arrival to the last of the cover, day by day.

    What is owed stays owed; before the arrival nobody buys what is not there, after it every sale
    is wanted.
    """
    arrival = case.lead_days or 0
    stock = float(case.available)
    late = sum(each.units for each in case.inbound if each.late)
    ends = []
    for day in range(arrival + case.cover_days):
        stock += sum(
            each.units
            for each in case.inbound
            if (each.due_on - TODAY).days == day and not each.late
        )
        if day == arrival:
            stock += ordered + late
        if day < arrival:
            stock = max(stock - (case.per_day or 0), 0.0) if stock > 0 else stock
        else:
            stock -= case.per_day or 0
            ends.append(stock)
    return ends


@given(case=situations)
def test_what_is_suggested_is_just_enough_and_in_whole_packs(case: Situation) -> None:
    units = advise(case).suggested_quantity

    assert units is not None
    assert units % case.pack_size == 0
    assert min(walk(case, units)) >= 0
    if units:
        assert min(walk(case, units - case.pack_size)) < 0


@given(case=situations)
def test_stock_runs_out_when_a_walk_does(case: Situation) -> None:
    stock, out = case.available, None
    for day in range(AHEAD_DAYS_MAX):
        stock += sum(
            each.units
            for each in case.inbound
            if (each.due_on - TODAY).days == day and not each.late
        )
        if stock < (case.per_day or 0) or (day == 0 and stock <= 0):
            out = TODAY + timedelta(days=day)
            break
        stock -= int(case.per_day or 0)
    assert advise(case).runs_out_on == out


@given(case=situations, more=st.integers(1, 50))
def test_more_stock_never_asks_for_more(case: Situation, more: int) -> None:
    richer = Situation(
        today=TODAY,
        available=case.available + more,
        per_day=case.per_day,
        inbound=case.inbound,
        lead_days=case.lead_days,
        cover_days=case.cover_days,
        pack_size=case.pack_size,
    )
    assert (advise(richer).suggested_quantity or 0) <= (advise(case).suggested_quantity or 0)


def test_a_buyer_reads_what_to_do() -> None:
    case = Situation(
        today=TODAY,
        available=12,
        per_day=4.0,
        inbound=(inbound(-2, 24), inbound(9, 48)),
        lead_days=14,
        cover_days=28,
        pack_size=24,
    )
    advice = advise(case)

    assert advice.days_of_cover == 3.0
    assert advice.runs_out_on == date(2026, 11, 24)
    assert advice.order_by == date(2026, 11, 10)
    # 48 come on day 9 and are 28 on day 14, 24 are late; 28 days take 112.
    assert advice.suggested_quantity == 72
    assert why(case, advice, measured_days=26.5) == (
        "Sells 4.0 a day (over 26.5 days in stock); so 12 available last 3.0 days; 48 come on"
        " 2026-11-30 and 24 are late; order 72 (3 packs of 24) today to last 28 days after 14 days"
        " of lead time."
    )
    assert why_ja(case, advice, measured_days=26.5) == (
        "1日平均4.0個販売（在庫のあった26.5日間の実績）、有効在庫12個は3.0日分、2026-11-30に48個"
        "入荷予定・24個は入荷遅れ、リードタイム14日（最短2026-12-05着）、28日分として本日中に72個"
        "（24個入り3箱）の発注を提案。"
    )


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (
            Situation(today=TODAY, available=900, per_day=2.0, lead_days=7),
            (
                "Sells 2.0 a day (over 28.0 days in stock); so 900 available last 450.0 days;"
                " nothing is on order; nothing need be ordered."
            ),
        ),
        (
            Situation(today=TODAY, available=20, per_day=2.0),
            (
                "Sells 2.0 a day (over 28.0 days in stock); so 20 available last 10.0 days;"
                " nothing is on order; order 36 to last 28 days, lead time not known."
            ),
        ),
        (
            Situation(today=TODAY, available=20, per_day=2.0, lead_days=7),
            (
                "Sells 2.0 a day (over 28.0 days in stock); so 20 available last 10.0 days;"
                " nothing is on order; order 50 by 2026-11-24 to last 28 days after"
                " 7 days of lead time."
            ),
        ),
    ],
)
def test_one_sentence_why(case: Situation, said: str) -> None:
    assert why(case, advise(case), measured_days=28.0) == said


def test_nothing_is_suggested_where_nothing_was_measured() -> None:
    case = Situation(today=TODAY, available=3, per_day=None, lead_days=7)
    advice = advise(case)
    assert (advice.suggested_quantity, advice.order_by, advice.days_of_cover) == (None, None, None)
    assert why(case, advice, measured_days=None).startswith("Too few days in stock")


def test_what_does_not_sell_lasts() -> None:
    case = Situation(today=TODAY, available=3, per_day=0.0, lead_days=7)
    advice = advise(case)
    assert (advice.runs_out_on, advice.suggested_quantity) == (None, 0)
    assert days_of_cover(0, 2.0) == days_of_cover(-5, 2.0) == 0.0
