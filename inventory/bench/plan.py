"""What is measured in a short, an ordinary and a full run, in which order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from functools import partial
from pathlib import Path

from msgspec import Struct

from inventory.bench import several, ways
from inventory.bench.limit import Tuning
from inventory.bench.report import Measurement
from inventory.bench.rest import BULK_CALLERS, BULK_LINES, Doors
from inventory.bench.rest import CALLERS as REST_CALLERS
from inventory.bench.scenarios import HOT, MULTI, SCENARIOS, Scenario
from inventory.bench.servers import Served
from inventory.bench.stand import Sample, Stand
from inventory.processes import Supervisor

ORDINARY_CALLERS = 32
PROCESSES = (1, 2, 4)


class Mode(StrEnum):
    """How much is measured. `quick` is what is behind the ten ratios."""

    QUICK = "quick"
    ORDINARY = "ordinary"
    FULL = "full"

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """Of which our own way is measured."""
        return (HOT, MULTI) if self is Mode.QUICK else SCENARIOS

    @property
    def callers(self) -> tuple[int, ...]:
        """With which our own way is measured."""
        return (8, 32, 4_096) if self is Mode.QUICK else (1, 8, 32, 512, 4_096)

    @property
    def limits(self) -> tuple[Scenario, ...]:
        """Whose limit is wanted."""
        return (HOT,) if self is Mode.QUICK else SCENARIOS

    @property
    def others(self) -> tuple[str, ...]:
        """Ordinary ways that ours is compared with."""
        return ("naive",) if self is Mode.QUICK else ("naive", "atomic")


class Job(Struct, frozen=True):
    """One measurement, and how one repetition of it is made."""

    measurement: Measurement
    measure: Callable[[], Awaitable[Sample]]


def in_process(mode: Mode, stand: Stand, tunings: Mapping[str, Tuning]) -> list[Job]:
    """The limit and the ordinary ways, each followed by our own way on the same stock."""
    jobs = []
    for scenario in mode.scenarios:
        if scenario in mode.limits:
            tuning = tunings[scenario.name]
            line = Measurement(
                way="limit", scenario=scenario.name, callers=tuning.connections, note=str(tuning)
            )
            jobs.append(Job(line, partial(ways.sell_in_batches, stand, scenario, tuning)))
            jobs += [_job(stand, way, scenario, ORDINARY_CALLERS) for way in mode.others]
        jobs += [_job(stand, "ours", scenario, callers) for callers in mode.callers]
    return jobs


def _job(stand: Stand, way: str, scenario: Scenario, callers: int) -> Job:
    line = Measurement(way=way, scenario=scenario.name, callers=callers)
    return Job(line, partial(ways.sell, stand, way, scenario, callers))


def through_rest(doors: Doors, api: Served, null: Served) -> list[Job]:
    """The doors, each beside what it is compared with."""
    single = Measurement(way="rest", scenario=HOT.name, callers=REST_CALLERS)
    nothing = Measurement(way="null", scenario=HOT.name, callers=REST_CALLERS)
    bulk = Measurement(
        way="bulk", scenario=HOT.name, callers=BULK_CALLERS, note=f"{BULK_LINES:,} lines a request"
    )
    return [
        Job(single, partial(doors.reserve, api)),
        Job(nothing, partial(doors.do_nothing, null)),
        Job(bulk, partial(doors.adjust, api)),
    ]


def by_processes(stand: Stand, supervisor: Supervisor, folder: Path) -> list[Job]:
    """One, two and four processes on the hot SKU; `callers` is the number of processes."""
    return [
        Job(
            Measurement(
                way="processes",
                scenario=HOT.name,
                callers=count,
                note=f"{several.CALLERS // count} callers in each",
            ),
            partial(several.sell, stand, supervisor, folder, count),
        )
        for count in PROCESSES
    ]
