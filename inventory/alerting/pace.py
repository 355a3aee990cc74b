"""Pure arithmetic of measured sales: spans in stock, the share of each day, units sold per day.

The rule: of the last 28 whole days in Tokyo, a day counts by the share of it on which at least one
unit was available. A day with a share below one half is a stock-out day: neither it nor what was
sold on it counts. Sold per day is the units sold on the days that count, over the sum of their
shares. A stock-out therefore never makes a SKU look slow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta

from msgspec import Struct

from inventory.clock import JST

WINDOW_DAYS = 28
# Below this share of it in stock, a day says little about what its buyers wanted.
SHARE_LEAST = 0.5
# Less than a day in stock says nothing at all.
DAYS_LEAST = 1.0

Span = tuple[datetime, datetime]


class Pace(Struct, frozen=True, kw_only=True):
    """`sold` units in `days` days in stock; `per_day` is their ratio."""

    sold: int
    days: float

    @property
    def per_day(self) -> float:
        """Units sold on a day in stock."""
        return self.sold / self.days


def in_stock(
    flips: Sequence[datetime], *, now_in_stock: bool, since: datetime, until: datetime
) -> list[Span]:
    """The spans between `since` and `until` in which a SKU was available, oldest first.

    `flips` are the moments at which that changed, oldest first, up to the present.
    """
    spans: list[Span] = []
    end, inside = until, now_in_stock
    for flip in reversed(flips):
        start = min(max(flip, since), until)
        if inside and start < end:
            spans.append((start, end))
        end, inside = start, not inside
    if inside and since < end:
        spans.append((since, end))
    return spans[::-1]


def both(some: Sequence[Span], others: Sequence[Span]) -> list[Span]:
    """The spans that lie in both; each sequence is ordered and without overlaps."""
    found: list[Span] = []
    mine, theirs = 0, 0
    while mine < len(some) and theirs < len(others):
        start = max(some[mine][0], others[theirs][0])
        end = min(some[mine][1], others[theirs][1])
        if start < end:
            found.append((start, end))
        if some[mine][1] <= others[theirs][1]:
            mine += 1
        else:
            theirs += 1
    return found


def day_start(day: date) -> datetime:
    """The moment at which a day begins in Tokyo."""
    return datetime(day.year, day.month, day.day, tzinfo=JST)


def days_of(span: Span) -> Iterator[tuple[date, float]]:
    """The Tokyo days that a span touches, each with the share of it that lies within."""
    start, end = span
    day = start.astimezone(JST).date()
    while (begins := day_start(day)) < end:
        over = begins + timedelta(days=1)
        yield day, (min(end, over) - max(start, begins)) / timedelta(days=1)
        day += timedelta(days=1)


def shares(spans: Sequence[Span]) -> dict[date, float]:
    """Tokyo day → the share of it that lies in the spans."""
    found: dict[date, float] = {}
    for span in spans:
        for day, share in days_of(span):
            found[day] = found.get(day, 0.0) + share
    return found


def pace(sold: Mapping[date, int], share_of: Mapping[date, float]) -> Pace | None:
    """The pace by the rule above; None where less than one day in stock counts.

    `sold` are units by Tokyo day, never negative.
    """
    counted = {day: share for day, share in share_of.items() if share >= SHARE_LEAST}
    days = sum(counted.values())
    if days < DAYS_LEAST:
        return None
    return Pace(sold=sum(sold.get(day, 0) for day in counted), days=days)
