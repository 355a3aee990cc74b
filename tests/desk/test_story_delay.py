"""Where the delay was, from the times of sales and pushes alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from inventory.reports.desk import StepRow
from inventory.story import decisions, delay
from inventory.story import sales as story_sales
from inventory.story.delay import Where
from inventory.story.listings import ListingTold, Moment
from inventory.story.sales import Sale

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def sale(ref: str, sold: float, reached: float, listing: int, **more: Any) -> Sale:
    values: dict[str, Any] = {
        "channel": {1: "rakuten", 2: "yahoo"}[listing],
        "kind": "rakuten",
        "order_ref": ref,
        "listing": listing,
        "channel_sku": "MUG",
        "units": 1,
        "sold_at": at(sold),
        "reached_at": at(reached),
        "late_seconds": reached - sold,
        "cancelled_at": None,
    }
    return Sale(**(values | more))


def listing(*moments: Moment, number: int = 2) -> ListingTold:
    return ListingTold(
        listing=number,
        channel="yahoo",
        kind="yahoo",
        channel_sku="MUG",
        sku="MUG",
        frozen=False,
        closed=False,
        moments=moments,
        moments_left_out=0,
    )


def told(sent: float, answered: float | None, status: str = "accepted", units: int = 0) -> Moment:
    return Moment(
        what="told",
        at=at(sent),
        answered_at=None if answered is None else at(answered),
        quantity=units,
        status=status,
    )


# The last unit goes at 0 s at Rakuten; Yahoo! sells one more at 10 s. When Rakuten's sale reached
# us, what Yahoo! was told, and what follows from it.
CASES: list[tuple[float, list[Moment], Where, float | None]] = [
    (20, [told(21, 21.5)], Where.ARRIVAL, 20),
    (20, [], Where.ARRIVAL, 20),
    (2, [told(14, 15)], Where.OUR_SIDE, 12),
    (2, [told(1, 1.5, units=5), told(14, 15)], Where.OUR_SIDE, 12),
    (2, [told(3, 14)], Where.ON_THE_WAY, 11),
    (2, [told(3, None)], Where.ON_THE_WAY, None),
    (2, [told(3, 4, "refused")], Where.REFUSED, 6),
    (2, [told(3, 4, "unknown")], Where.IN_DOUBT, 6),
    (2, [told(3, 4)], Where.CHANNEL, 6),
    (2, [], Where.NOT_TOLD, 8),
    # At the very moment of the sale it was known, sent or answered already.
    (10, [], Where.NOT_TOLD, 0),
    (2, [told(10, 14)], Where.ON_THE_WAY, 4),
    (2, [told(3, 10)], Where.CHANNEL, 0),
]


@pytest.mark.parametrize(("reached", "moments", "where", "seconds"), CASES)
def test_the_first_part_of_the_way_that_was_too_slow(
    reached: float, moments: list[Moment], where: Where, seconds: float | None
) -> None:
    sales = [sale("o-1", 0, reached, 1), sale("o-2", 10, 12, 2, beyond_stock=True)]
    [found] = delay.delays(sales, [listing(*moments)], opened_at=at(30), stock_fell=False)
    assert (found.where, found.seconds) == (where, seconds)
    assert (found.gone_by, found.gone_at, found.known_at) == ("rakuten o-1", NOON, at(reached))
    said = decisions.sentence(found)
    assert said.startswith("yahoo sold o-2 (1) at 21:00:10, rakuten o-1 had taken the last unit")
    assert "None" not in said
    late = [each.answered_at for each in moments if each.at >= at(reached) and each.answered_at]
    if late and late[0] > at(10):
        assert f"took it {(late[0] - at(10)).total_seconds():.1f} s too late" in said


@pytest.mark.parametrize(
    ("sales", "where"),
    [
        ([sale("o-1", 0, 5, 2), sale("o-2", 10, 12, 2, beyond_stock=True)], Where.SAME_LISTING),
        ([sale("o-1", 10, 5, 1), sale("o-2", 10, 12, 2, beyond_stock=True)], Where.SAME_MOMENT),
        ([sale("o-2", 10, 12, 2, beyond_stock=True)], Where.NO_STOCK),
        ([sale("o-1", 0, 5, 2), sale("o-2", 10, 12, 1, beyond_stock=True)], Where.UNKNOWN),
        (
            [
                sale("o-0", 0, 5, 1, cancelled_at=at(6)),
                sale("o-2", 10, 12, 2, beyond_stock=True),
            ],
            Where.NO_STOCK,
        ),
    ],
)
def test_where_no_number_of_ours_was_late(sales: list[Sale], where: Where) -> None:
    [found] = delay.delays(sales, [listing()], opened_at=at(30), stock_fell=False)
    assert found.where is where
    assert "None" not in decisions.sentence(found)


def test_where_stock_fell_no_sale_is_blamed() -> None:
    sales = [sale("o-1", 0, 5, 1), sale("o-2", 10, 12, 2, beyond_stock=True)]
    [found] = delay.delays(sales, [listing()], opened_at=at(30), stock_fell=True)
    assert (found.where, found.gone_by) == (Where.STOCK_FELL, None)


def test_the_newest_sales_are_beyond_stock_until_the_shortage_is_covered() -> None:
    sales = [
        sale("o-1", 0, 1, 1),
        sale("o-2", 1, 2, 1, units=3),
        sale("o-3", 2, 3, 2, cancelled_at=at(4)),
        sale("o-4", 5, 6, 2),
    ]
    marked = story_sales.beyond_stock(sales, shortage=2, opened_at=at(10))
    assert [each.order_ref for each in marked if each.beyond_stock] == ["o-2", "o-4"]
    # One that is given up for the case was still a promise when it opened.
    late = story_sales.beyond_stock(sales, shortage=2, opened_at=at(3.5))
    assert [each.order_ref for each in late if each.beyond_stock] == ["o-3", "o-4"]
    none = story_sales.beyond_stock(sales, shortage=0, opened_at=at(10))
    assert not any(each.beyond_stock for each in none)


def test_a_step_tells_what_it_has_and_no_empty_word() -> None:
    detail: dict[str, Any] = {"order_ref": "o-1", "attempt": 1, "reference": "", "units": None}
    step = StepRow(step="submitted", detail=detail, done_by="desk", done_at=NOON)
    assert decisions.decided(step).said == "the cancellation was sent: o-1, attempt 1"
