"""Pure arithmetic of stock: what may be promised, what may be shown, what may be unseen."""

from __future__ import annotations

import math

UNSEEN_MAX = 100_000


def held_back(available: int, *, units: int, percent: int) -> int:
    """Safety stock of `available` units: the greater of a fixed number and a percentage."""
    return max(units, -(-max(available, 0) * percent // 100))


def available_to_promise(*, available: int, safety_stock: int, ahead: int = 0) -> int:
    """What may be offered for sale. Negative means that no unit may be.

    `ahead` units may be sold before they have come in.
    """
    return available - safety_stock + ahead


def publishable(*, atp: int, quantity_max: int | None, quantity_floor: int) -> int:
    """The number to show: never below 0, never above the cap, and 0 at or below the floor."""
    shown = max(atp, 0)
    if shown <= quantity_floor:
        return 0
    return shown if quantity_max is None else min(shown, quantity_max)


def oversold(available: int) -> int:
    """Units promised beyond what is there."""
    return max(-available, 0)


def unseen_units(*, sold: int, window_seconds: float, blind_seconds: float, quantile: float) -> int:
    """The most units that may have been sold unseen, at the given quantile of a Poisson law.

    `sold` units in the last `window_seconds` give the rate; `blind_seconds` is how long we could
    not see. Nothing sold lately means nothing expected.
    """
    mean = sold / window_seconds * max(blind_seconds, 0.0)
    if mean <= 0:
        return 0
    # Beyond a mean of some hundreds the term underflows; the normal law is as good there.
    if mean > 500:  # noqa: PLR2004 -- where exp(-mean) leaves the range of a double
        return min(math.ceil(mean + 4 * math.sqrt(mean)), UNSEEN_MAX)
    term = cumulated = math.exp(-mean)
    units = 0
    while cumulated < quantile and units < UNSEEN_MAX:
        units += 1
        term *= mean / units
        cumulated += term
    return units
