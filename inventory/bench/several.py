"""Several processes at once on one hot SKU, as many API processes and workers would be."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import uvloop
from msgspec import Struct

from inventory import collector
from inventory.bench import books, place
from inventory.bench.cpu import Watch
from inventory.bench.load import MILLISECONDS, Reading, Told, caller, drive
from inventory.bench.ours import ours
from inventory.bench.scenarios import HOT, sales
from inventory.bench.servers import ROOT
from inventory.bench.stand import Sample, Stand, finish
from inventory.processes import Supervisor

CALLERS = 512
READY_SECONDS = 60
END_SECONDS = 60
# Between the sign to begin and the measured time; long enough for every process to see it.
LEAD_SECONDS = 1.0
POLL_SECONDS = 0.02


class Work(Struct, frozen=True, kw_only=True):
    """What one process does. It leaves `ready`, waits for `go`, and leaves `done` in `folder`."""

    name: str
    folder: str
    run: int
    callers: int
    seconds: float

    def path(self, what: str) -> Path:
        """A file of this process; `go` is everybody's."""
        return Path(self.folder) / (what if what == "go" else f"{self.name}.{what}")


class Done(Struct, frozen=True, kw_only=True):
    """What one process counted, and what its callers were told."""

    reading: Reading
    grants: int
    faults: list[str]


async def sell(stand: Stand, supervisor: Supervisor, folder: Path, processes: int) -> Sample:
    """One repetition: 512 callers shared out among some processes, each with a ledger.

    p50 and p99 are those of the process in which they are longest.
    """
    async with stand.database() as (where, run):
        before, told = await books.opening(where), Told()
        shared = folder / f"several-{run}"
        shared.mkdir()
        works = [
            Work(
                name=f"seller-{number}",
                folder=str(shared),
                run=stand.next_run(),
                callers=CALLERS // processes,
                seconds=stand.pace.seconds,
            )
            for number in range(processes)
        ]
        try:
            pids = [_start(supervisor, work, where.url) for work in works]
            watch = Watch(stand.server.pid, servers=pids, own=False)
            dones, used = await _together(supervisor, works, watch)
        finally:
            supervisor.stop(*(work.name for work in works))
        told.grants = told.reserved[0] = sum(done.grants for done in dones)
        faults = [fault for done in dones for fault in done.faults]
        return await finish(where, before, told, _sum(dones, used), faults)


def _start(supervisor: Supervisor, work: Work, url: str) -> int:
    argument = msgspec.json.encode(work).decode()
    child = supervisor.start(
        work.name,
        [sys.executable, "-m", "inventory.bench.several", argument],
        # The address holds a password, and arguments can be read by everybody.
        env=dict(os.environ) | {"DATABASE_URL": url, "PYTHONPATH": str(ROOT)},
    )
    return child.pid


async def _together(
    supervisor: Supervisor, works: Sequence[Work], watch: Watch
) -> tuple[list[Done], float | None]:
    """Let all begin at one moment; what each counted, and the processor seconds of all."""
    ready = [work.path("ready") for work in works]
    supervisor.wait_until(
        lambda: all(path.exists() for path in ready), what="a seller", seconds=READY_SECONDS
    )
    begins_at = time.time() + LEAD_SECONDS
    _leave(works[0].path("go"), repr(begins_at).encode())
    await asyncio.sleep(LEAD_SECONDS)
    before = watch.used().counted
    await asyncio.sleep(works[0].seconds)
    after = watch.used().counted
    done = [work.path("done") for work in works]
    supervisor.wait_until(
        lambda: all(path.exists() for path in done), what="a seller's end", seconds=END_SECONDS
    )
    used = None if before is None or after is None else after - before
    return [msgspec.json.decode(path.read_bytes(), type=Done) for path in done], used


def _sum(dones: Sequence[Done], used: float | None) -> Reading:
    readings = [done.reading for done in dones]
    sales = sum(reading.sales for reading in readings)
    return Reading(
        sales=sales,
        lines=sum(reading.lines for reading in readings),
        seconds=sum(reading.seconds for reading in readings) / len(readings),
        p50_ms=max((reading.p50_ms or 0.0 for reading in readings), default=None),
        p99_ms=max((reading.p99_ms or 0.0 for reading in readings), default=None),
        cpu_ms_per_sale=used * MILLISECONDS / sales if used is not None and sales else None,
        others_cpu=None,
    )


def _leave(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; somebody may be waiting for it."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(content)
    fresh.replace(path)


async def _work(work: Work) -> None:
    """What one of the processes does."""
    where, told = await place.look(os.environ["DATABASE_URL"]), Told()
    asked = sales(HOT, run=work.run, seed=work.run)
    go = work.path("go")
    collector.calm()
    _leave(work.path("ready"), b"")
    async with ours(where) as till:
        while not go.exists():  # noqa: ASYNC110 -- the sign comes from another process
            await asyncio.sleep(POLL_SECONDS)
        begins_at = float(go.read_bytes())
        reading = await drive(
            [caller(till.sell, asked)] * work.callers,
            told,
            watch=Watch(os.getpid()),
            seconds=work.seconds,
            warm_seconds=max(begins_at - time.time(), 0.0),
        )
        faults = await till.tell_again()
    done = Done(reading=reading, grants=told.grants, faults=faults)
    _leave(work.path("done"), msgspec.json.encode(done))


def main() -> None:
    """Work as told in the one argument, then stay until stopped, as the supervisor expects."""
    uvloop.run(_work(msgspec.json.decode(sys.argv[1], type=Work)))
    signal.pause()


if __name__ == "__main__":
    main()
