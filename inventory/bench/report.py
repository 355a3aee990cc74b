"""What a run of the bench found, as one report: every figure measured, with medians and spread."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from inventory.bench.books import Books
from inventory.bench.load import Reading
from inventory.bench.machine import Machine
from inventory.bench.stand import Pace, Sample

DIGITS = 4


class Spread(Struct, frozen=True, kw_only=True):
    """The same figure of every repetition."""

    median: float
    min: float
    max: float
    each: tuple[float, ...]


def spread(figures: Sequence[float | None]) -> Spread | None:
    """Median and bounds; None where a figure is missing."""
    known = [round(figure, DIGITS) for figure in figures if figure is not None]
    if not known or len(known) < len(figures):
        return None
    return Spread(
        median=round(statistics.median(known), DIGITS),
        min=min(known),
        max=max(known),
        each=tuple(known),
    )


class Measurement(Struct, kw_only=True):
    """One line of the report. `callers` ask at once; `note` says what else belongs to it."""

    way: str
    scenario: str
    callers: int
    note: str = ""
    samples: list[Sample] = msgspec.field(default_factory=list)

    @property
    def sales_per_second(self) -> Spread | None:
        """Holds granted, or lines of a bulk request recorded."""
        return self._spread(lambda reading: reading.sales / reading.seconds)

    @property
    def lines_per_second(self) -> Spread | None:
        """Lines of what was granted; a basket has several."""
        return self._spread(lambda reading: reading.lines / reading.seconds)

    @property
    def p50_ms(self) -> Spread | None:
        """Half of the answers came within it; of a batch, all of it is one answer."""
        return self._spread(lambda reading: reading.p50_ms)

    @property
    def p99_ms(self) -> Spread | None:
        """99 of 100 answers came within it."""
        return self._spread(lambda reading: reading.p99_ms)

    @property
    def cpu_ms_per_sale(self) -> Spread | None:
        """Processor time of client or server, and of PostgreSQL."""
        return self._spread(lambda reading: reading.cpu_ms_per_sale)

    @property
    def others_cpu(self) -> Spread | None:
        """Processors that the rest of the machine kept busy."""
        return self._spread(lambda reading: reading.others_cpu)

    @property
    def books_ok(self) -> bool:
        """Whether the books agreed after every repetition."""
        return all(sample.books.ok for sample in self.samples)

    @property
    def deadlocks(self) -> int:
        """The most that PostgreSQL had counted in one database."""
        return max((sample.books.deadlocks for sample in self.samples), default=0)

    def _spread(self, figure: Callable[[Reading], float | None]) -> Spread | None:
        return spread([figure(sample.reading) for sample in self.samples])

    def figures(self) -> dict[str, Any]:
        """The line as it stands in the JSON report."""
        names = (
            *("way", "scenario", "callers", "note", "sales_per_second", "lines_per_second"),
            *("p50_ms", "p99_ms", "cpu_ms_per_sale", "others_cpu", "books_ok", "deadlocks"),
        )
        found = {name: msgspec.to_builtins(getattr(self, name)) for name in names}
        found["refusals"] = sum(sample.refusals for sample in self.samples)
        found["faults"] = [fault for sample in self.samples for fault in sample.books.faults]
        found["storage"] = [msgspec.to_builtins(sample.storage) for sample in self.samples]
        return found


class Check(Struct, frozen=True, kw_only=True):
    """Something that must be so, whatever the speed."""

    name: str
    books: Books


class Report(Struct, frozen=True, kw_only=True):
    """A whole run. `ratios` are always the same ten; `further` are those of longer runs."""

    mode: str
    started_at: datetime
    took_seconds: float
    pace: Pace
    repetitions: int
    machine: Machine
    measurements: list[Measurement]
    checks: list[Check]
    ratios: dict[str, float | int | bool | None]
    further: dict[str, float | None]

    @property
    def ok(self) -> bool:
        """Whether the books agree everywhere and nobody waited in a circle."""
        return bool(self.ratios["books_ok"]) and not self.ratios["deadlocks"]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "mode": self.mode,
            "started_at": self.started_at.isoformat(),
            "took_seconds": round(self.took_seconds, 1),
            "pace": msgspec.to_builtins(self.pace),
            "repetitions": self.repetitions,
            "machine": msgspec.to_builtins(self.machine),
            "measurements": [measurement.figures() for measurement in self.measurements],
            "checks": [msgspec.to_builtins(check) for check in self.checks],
            "ratios": self.ratios,
            "further": self.further,
        }
