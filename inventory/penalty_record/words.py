"""A metric in words that a shop understands: how much room is left, and what a change would do."""

from __future__ import annotations

from inventory.penalties import Metric

_SMALL = (
    *("no", "one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve"),
)
_UNITS = {"percent": "%", "points": "points", "yen": "yen"}
INCOMPLETE = "our record of the window is not complete, so the true figure may be higher"


def amount(value: float | None, unit: str) -> str:
    """A value with its unit, two decimals at most; `unknown` without one."""
    if value is None:
        return "unknown"
    return f"{figure(value)} {unit_shown(unit)}"


def figure(value: float) -> str:
    """A value without its unit, two decimals at most."""
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def unit_shown(unit: str) -> str:
    """A unit as people read it."""
    return _UNITS.get(unit, unit)


def count(number: int) -> str:
    """A number as it is spoken, up to twelve."""
    return _SMALL[number] if 0 <= number < len(_SMALL) else str(number)


def headroom(metric: Metric | None, *, under_way: int = 0) -> str:
    """How many more out-of-stock cancellations the shop may make, in one sentence.

    "Two more until 2.5 %" means that after two the value still lies below, and the next one reaches
    it. `under_way` are orders being given up that are not on record yet.
    """
    if metric is None:
        return "no metric: this marketplace has none that a cancellation could hurt"
    said = _room(metric)
    if under_way:
        said += f"; {count(under_way)} under way already, not counted in this"
    if not metric.history_complete:
        said += f" ({INCOMPLETE})"
    return said


def _room(metric: Metric) -> str:
    if metric.limit is None:
        if metric.unit == "yen":
            return f"no limit: {amount(metric.value, metric.unit)} of card fees lost so far"
        return f"no limit is set: {amount(metric.value, metric.unit)} now"
    limit = amount(metric.limit, metric.unit)
    if metric.value is not None and metric.value >= metric.limit:
        return f"{limit} is reached: {amount(metric.value, metric.unit)} now"
    room = metric.headroom
    if room is None:
        return f"{limit} cannot be reached: a cancellation scores nothing"
    cancels = "cancel" if room == 1 else "cancels"
    tail = "the next one reaches it" if room == 0 else "one more than that reaches it"
    return f"{count(room)} more out-of-stock {cancels} until {limit}; {tail}"


def crosses(before: Metric, after: Metric) -> bool:
    """Whether a limit or step that lay ahead before is reached after."""
    limit = after.limit
    if limit is None or after.value is None:
        return False
    return after.value >= limit and (before.value is None or before.value < limit)


def change(before: Metric, after: Metric) -> str:
    """What happens to the metric, in one sentence with limit and as-of date."""
    said = (
        f"{after.name} goes from {amount(before.value, before.unit)}"
        f" to {amount(after.value, after.unit)}"
    )
    if before.value == after.value:
        said = f"{after.name} stays at {amount(after.value, after.unit)}"
    if after.limit is not None:
        verb = "and reaches" if crosses(before, after) else "with"
        said += f" {verb} the limit of {amount(after.limit, after.unit)}"
    said += f" (thresholds as of {after.as_of})"
    return said if after.history_complete else f"{said}; {INCOMPLETE}"
