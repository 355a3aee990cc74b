"""The figures that have an aim: what each is made of, and whether it was met."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct

from inventory.bench.report import Check, Measurement

# From so many callers on, the rate shall not depend on them.
FLAT_FROM = 8
NAIVE_CALLERS = 32
PROCESSES = (1, 4)
DIGITS = 4

Rate = Callable[[Measurement], float]


class Aim(Struct, frozen=True):
    """At least, or at most, so much."""

    bound: float
    at_most: bool = False

    def met(self, figure: float) -> bool:
        """Whether a figure is as it should be."""
        return figure <= self.bound if self.at_most else figure >= self.bound

    def __str__(self) -> str:
        """As it stands in the report."""
        return f"{'≤' if self.at_most else '≥'} {self.bound:g}"


AIMS: Mapping[str, Aim] = {
    "hot_vs_naive": Aim(50),
    "hot_vs_limit": Aim(0.6),
    "flatness_8_to_4096": Aim(0.85),
    "multi_vs_hot": Aim(0.5),
    "rest_vs_null": Aim(0.8),
    "bulk_vs_limit": Aim(0.5),
    "bytes_per_movement": Aim(300, at_most=True),
    "cpu_ms_per_sale": Aim(0.2, at_most=True),
    "deadlocks": Aim(0, at_most=True),
    "books_ok": Aim(1),
    "spread_vs_limit": Aim(0.6),
    "zipf_vs_limit": Aim(0.6),
    "multi_vs_limit": Aim(0.6),
    "four_processes_vs_one": Aim(0.7),
    "grown_vs_empty_hot": Aim(0.9),
    "grown_vs_empty_spread": Aim(0.9),
    "p99_beside_expiry_vs_alone": Aim(1.1, at_most=True),
}


def sales_rate(measurement: Measurement) -> float:
    """The median of sales a second."""
    found = measurement.sales_per_second
    return found.median if found else 0.0


def lines_rate(measurement: Measurement) -> float:
    """The median of lines a second."""
    found = measurement.lines_per_second
    return found.median if found else 0.0


def p99(measurement: Measurement) -> float:
    """The median of the p99."""
    found = measurement.p99_ms
    return found.median if found else 0.0


class _Found:
    """The measurements by way, scenario and callers; None for what was not measured."""

    def __init__(self, measurements: Iterable[Measurement]) -> None:
        self._measurements = [each for each in measurements if each.samples]

    def all(self, way: str, scenario: str) -> list[Measurement]:
        return [each for each in self._measurements if (each.way, each.scenario) == (way, scenario)]

    def best(
        self, way: str, scenario: str = "HOT", *, rate: Rate = sales_rate, callers: int = 0
    ) -> float | None:
        rates = [rate(each) for each in self.all(way, scenario) if callers in {0, each.callers}]
        return max(rates, default=None)


def ratios(
    measurements: Sequence[Measurement], checks: Sequence[Check]
) -> dict[str, float | int | bool | None]:
    """The ten figures of every run; None for what was not measured."""
    found = _Found(measurements)
    hot = found.best("ours")
    return {
        "hot_vs_naive": _ratio(
            found.best("ours", callers=NAIVE_CALLERS), found.best("naive", callers=NAIVE_CALLERS)
        ),
        "hot_vs_limit": _ratio(hot, found.best("limit")),
        "flatness_8_to_4096": _flatness(found.all("ours", "HOT")),
        "multi_vs_hot": _ratio(found.best("ours", "MULTI", rate=lines_rate), hot),
        "rest_vs_null": _ratio(found.best("rest"), found.best("null")),
        "bulk_vs_limit": _ratio(found.best("bulk", rate=lines_rate), found.best("limit")),
        "bytes_per_movement": _bytes_per_movement(found.all("ours", "HOT")),
        "cpu_ms_per_sale": _cpu_ms(found.all("ours", "HOT")),
        "deadlocks": sum(each.deadlocks for each in measurements)
        + sum(check.books.deadlocks for check in checks),
        "books_ok": all(each.books_ok for each in measurements)
        and all(check.books.ok for check in checks),
    }


def further(measurements: Sequence[Measurement]) -> dict[str, float | None]:
    """The figures of longer runs; None for what was not measured."""
    found = _Found(measurements)
    one, four = (found.best("processes", callers=count) for count in PROCESSES)
    figures = {
        f"{name.lower()}_vs_limit": _ratio(found.best("ours", name), found.best("limit", name))
        for name in ("SPREAD", "ZIPF", "MULTI")
    }
    return figures | {
        "four_processes_vs_one": _ratio(four, one),
        "grown_vs_empty_hot": _ratio(found.best("grown"), found.best("empty")),
        "grown_vs_empty_spread": _ratio(
            found.best("grown", "SPREAD"), found.best("empty", "SPREAD")
        ),
        "p99_beside_expiry_vs_alone": _ratio(
            found.best("beside expiry", rate=p99), found.best("before expiry", rate=p99)
        ),
    }


def _ratio(one: float | None, other: float | None) -> float | None:
    return round(one / other, DIGITS) if one is not None and other else None


def _flatness(hot: Sequence[Measurement]) -> float | None:
    rates = [sales_rate(each) for each in hot if each.callers >= FLAT_FROM]
    return _ratio(min(rates), max(rates)) if len(rates) > 1 else None


def _bytes_per_movement(hot: Sequence[Measurement]) -> float | None:
    """Of the table with most movements: in a small one, pages begun weigh too much."""
    storages = [sample.storage for each in hot for sample in each.samples]
    largest = max(storages, key=lambda storage: storage.movements, default=None)
    return round(largest.bytes_per_movement, 1) if largest else None


def _cpu_ms(hot: Sequence[Measurement]) -> float | None:
    best = max(hot, key=sales_rate, default=None)
    found = best.cpu_ms_per_sale if best else None
    return found.median if found else None
