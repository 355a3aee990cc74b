"""Pure arithmetic of buying: days of cover, when stock runs out, what to order by when, and why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, timedelta

from msgspec import Struct

COVER_DAYS = 28
# Whoever runs out in ten years does not run out.
AHEAD_DAYS_MAX = 3650


class Inbound(Struct, frozen=True, kw_only=True):
    """Units that are expected; at the start of `due_on`, for all we know. `late`: it has passed."""

    due_on: date
    units: int
    late: bool = False


class Situation(Struct, frozen=True, kw_only=True):
    """What is known of a SKU today (Tokyo). Units; `per_day` None: nothing was measured yet."""

    today: date
    available: int
    per_day: float | None
    inbound: tuple[Inbound, ...] = ()
    lead_days: int | None = None
    cover_days: int = COVER_DAYS
    pack_size: int = 1


class Advice(Struct, frozen=True, kw_only=True):
    """What a buyer can do. `days_of_cover` and `runs_out_on` are None where nothing sells.

    `runs_out_on` counts what is expected on its day; `order_by` may lie in the past, and is None
    where nothing need be ordered or the lead time is not known.
    """

    days_of_cover: float | None
    runs_out_on: date | None
    order_by: date | None
    suggested_quantity: int | None


def days_of_cover(available: int, per_day: float | None) -> float | None:
    """How long the available units last at this pace; None where nothing sells."""
    return max(available, 0) / per_day if per_day else None


def advise(case: Situation) -> Advice:
    """What to order, by when. Units that are late count as ordered, and as coming on no date."""
    if case.per_day is None:
        return Advice(days_of_cover=None, runs_out_on=None, order_by=None, suggested_quantity=None)
    dated = sorted((each for each in case.inbound if not each.late), key=lambda each: each.due_on)
    coming = [((each.due_on - case.today).days, each.units) for each in dated]
    out_after = runs_out_after(case.available, case.per_day, coming)
    late = sum(each.units for each in case.inbound if each.late)
    wanted = wanted_units(case, coming, late)
    out_on = None if out_after is None else case.today + timedelta(days=out_after)
    order_by = None
    if wanted and out_on is not None and case.lead_days is not None:
        order_by = out_on - timedelta(days=case.lead_days)
    return Advice(
        days_of_cover=days_of_cover(case.available, case.per_day),
        runs_out_on=out_on,
        order_by=order_by,
        suggested_quantity=-(-wanted // case.pack_size) * case.pack_size,
    )


def runs_out_after(available: int, per_day: float, coming: Sequence[tuple[int, int]]) -> int | None:
    """In how many whole days the stock is used up, 0 being today; None: not in ten years.

    `coming` are (days from today, units), soonest first.
    """
    stock = float(available)
    for after, units in coming:
        if after and (stock <= 0 or stock < per_day * after):
            break
        stock += units
    if stock <= 0:
        return 0
    days = stock / per_day if per_day else math.inf
    return math.floor(days) if days <= AHEAD_DAYS_MAX else None


def wanted_units(case: Situation, coming: Sequence[tuple[int, int]], late: int) -> int:
    """The fewest units which, ordered today, keep stock above zero for the cover days.

    They arrive after the lead time (0 where it is not known). What nobody could buy before then is
    lost; what is promised already is owed.
    """
    per_day = case.per_day or 0.0
    arrival = case.lead_days or 0
    end = arrival + case.cover_days
    stock = stock_at(case.available, per_day, coming, arrival) + late
    lacking = 0.0
    for after, units in coming:
        if arrival < after <= end:
            lacking = max(lacking, per_day * (after - arrival) - stock)
            stock += units
    lacking = max(lacking, per_day * (end - arrival) - stock)
    # A hair above a whole number is the arithmetic's, not a unit.
    return max(math.ceil(round(lacking, 6)), 0)


def stock_at(available: int, per_day: float, coming: Sequence[tuple[int, int]], day: int) -> float:
    """What is in stock `day` days from today, what arrives on that day included.

    Sales stop at zero; units that are owed already stay owed.
    """
    stock, at = float(available), 0
    for after, units in coming:
        if after > day:
            break
        stock = _sold_down(stock, per_day * (after - at)) + units
        at = after
    return _sold_down(stock, per_day * (day - at))


def _sold_down(stock: float, units: float) -> float:
    return max(stock - units, 0.0) if stock > 0 else stock
