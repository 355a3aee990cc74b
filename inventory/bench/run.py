"""One run of the bench, from the server's start to the report."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from inventory import collector
from inventory.bench import expiry, growth, machine, place, plan, ratios, rest, ways
from inventory.bench.plan import Job, Mode
from inventory.bench.report import Check, Measurement, Report
from inventory.bench.scenarios import HOT, SPREAD
from inventory.bench.stand import Pace, Stand
from inventory.embedded import start_postgres
from inventory.processes import Supervisor

REPETITIONS = 3
GROWN_CALLERS = 512
DECIDING_WAYS = ("ours", "naive", "atomic")

Say = Callable[[str], None]


def run(mode: Mode, say: Say, *, pace: Pace | None = None) -> Report:
    """Measure on a durable server of the bench's own, in a temporary folder that is removed.

    `say` is told of every step. After a failure the logs are kept. Raises `WrongState` where the
    server is not durable or a door does not answer as it should, and `ProcessError` when a child
    does not come up.
    """
    folder = Path(tempfile.mkdtemp(prefix="hikiate-bench-"))
    try:
        with Supervisor(folder / "logs") as supervisor:
            stand = Stand(start_postgres(folder, supervisor), pace or Pace())
            report = uvloop.run(Bench(mode, say, stand, supervisor, folder).run())
    except BaseException:
        shutil.rmtree(folder / "postgres", ignore_errors=True)
        say(f"logs are kept in {folder / 'logs'}")
        raise
    shutil.rmtree(folder)
    return report


class Bench:
    """The parts of one run."""

    def __init__(
        self, mode: Mode, say: Say, stand: Stand, supervisor: Supervisor, folder: Path
    ) -> None:
        self._mode = mode
        self._say = say
        self._stand = stand
        self._supervisor = supervisor
        self._folder = folder
        self._measurements: list[Measurement] = []
        self._checks: list[Check] = []

    async def run(self) -> Report:
        """Measure everything, repetition by repetition, so that noise hits all alike."""
        began, started_at = time.monotonic(), datetime.now(UTC)
        url = self._stand.server.url
        found = await machine.describe(url, self._folder)
        for warning in found.warnings:
            self._say(f"WARNING {warning}")
        self._say("opening the shop")
        await place.open_shop(url)
        # As in every process of the house.
        collector.calm()
        await self._sell()
        await self._rush()
        if self._mode is Mode.FULL:
            await self._expire()
            await self._grow()
        return Report(
            mode=self._mode.value,
            started_at=started_at,
            took_seconds=time.monotonic() - began,
            pace=self._stand.pace,
            repetitions=REPETITIONS,
            machine=found,
            measurements=self._measurements,
            checks=self._checks,
            ratios=ratios.ratios(self._measurements, self._checks),
            further=ratios.further(self._measurements),
        )

    async def _sell(self) -> None:
        tunings = {}
        for scenario in self._mode.limits:
            self._say(f"looking for the limit of {scenario.name}")
            tunings[scenario.name] = await ways.tune(self._stand, scenario)
        jobs = plan.in_process(self._mode, self._stand, tunings)
        async with AsyncExitStack() as stack:
            opened = rest.open_doors(self._stand, self._supervisor, self._folder)
            jobs += plan.through_rest(*await stack.enter_async_context(opened))
            if self._mode is not Mode.QUICK:
                jobs += plan.by_processes(self._stand, self._supervisor, self._folder)
            await self._repeat(jobs)

    async def _repeat(self, jobs: Sequence[Job]) -> None:
        self._measurements += [job.measurement for job in jobs]
        for repetition in range(1, REPETITIONS + 1):
            for number, job in enumerate(jobs, 1):
                sample = await job.measure()
                job.measurement.samples.append(sample)
                self._told(f"{repetition}.{number}/{len(jobs)}", job.measurement)

    def _told(self, place_: str, line: Measurement) -> None:
        sample = line.samples[-1]
        rate = sample.reading.sales / sample.reading.seconds
        faults = f"  WRONG: {sample.books.faults[0]}" if sample.books.faults else ""
        self._say(
            f"{place_:>8}  {line.way} {line.scenario} {line.callers:,}: {rate:,.0f} sales/s{faults}"
        )

    async def _rush(self) -> None:
        for way in DECIDING_WAYS:
            if way == "ours" or way in self._mode.others:
                self._say(f"few units, many callers: {way}")
                books = await ways.rush(self._stand, way)
                self._checks.append(Check(name=f"few units, many callers: {way}", books=books))

    async def _expire(self) -> None:
        lines = [
            Measurement(way=f"{when} expiry", scenario=HOT.name, callers=expiry.CALLERS)
            for when in ("before", "beside")
        ]
        self._measurements += lines
        notes = []
        for _ in range(REPETITIONS):
            self._say(f"{expiry.HOLDS:,} holds expire beside sales")
            found = await expiry.sell_beside(self._stand, self._supervisor, self._folder)
            notes.append(f"{found.expired:,}")
            for line, sample in zip(lines, (found.without, found.beside), strict=True):
                line.samples.append(sample)
                self._told("", line)
        lines[1].note = f"holds given back meanwhile: {', '.join(notes)}"

    async def _grow(self) -> None:
        jobs = []
        async with growth.grown(self._stand, self._folder, self._say) as grown:
            for scenario in (HOT, SPREAD):
                for way in ("empty", "grown"):
                    line = Measurement(way=way, scenario=scenario.name, callers=GROWN_CALLERS)
                    jobs.append((line, scenario))
            self._measurements += [line for line, _ in jobs]
            for repetition in range(1, REPETITIONS + 1):
                for line, scenario in jobs:
                    sample = (
                        await grown.sell(scenario, line.callers)
                        if line.way == "grown"
                        else await ways.sell(self._stand, "ours", scenario, line.callers)
                    )
                    line.samples.append(sample)
                    self._told(str(repetition), line)
            self._say("adding up all movements")
            self._checks.append(Check(name="the grown ledger", books=await grown.check()))
