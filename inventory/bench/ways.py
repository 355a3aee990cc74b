"""Each way measured once: ours, naive and atomic sale by sale, the limit batch by batch."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from inventory.bench import books
from inventory.bench.atomic import atomic
from inventory.bench.books import Books
from inventory.bench.limit import Tuning, limit, tunings
from inventory.bench.load import Loop, Meter, Sell, Told, caller, drive
from inventory.bench.naive import naive
from inventory.bench.ours import ours
from inventory.bench.place import FEW_UNITS, Place
from inventory.bench.scenarios import Scenario, refs, sales
from inventory.bench.stand import Sample, Stand, finish

SEED = 1
TUNING_ROUNDS = 2
RUSH_CALLERS, RUSH_TIMES, RUSH_SECONDS_MAX = 64, 8, 60

# What can be asked of a way when its measurement is over: faults of its answers.
After = Callable[[], Awaitable[list[str]]]
ORDINARY: Mapping[str, Callable[[Place], AbstractAsyncContextManager[Sell]]] = {
    "naive": naive,
    "atomic": atomic,
}


async def sell(stand: Stand, way: str, scenario: Scenario, callers: int) -> Sample:
    """One repetition of a way that answers sale by sale: `ours`, `naive` or `atomic`."""
    async with stand.database() as (where, run):
        before, told = await books.opening(where), Told()
        asked = sales(scenario, run=run, seed=SEED)
        async with _open(way, where) as (ask, after):
            reading = await stand.drive([caller(ask, asked)] * callers, told)
            faults = await after()
        return await finish(where, before, told, reading, faults)


async def sell_in_batches(stand: Stand, scenario: Scenario, tuning: Tuning) -> Sample:
    """One repetition of the limit."""
    async with stand.database() as (where, run):
        before, told = await books.opening(where), Told()
        asked = sales(scenario, run=run, seed=SEED)
        async with limit(where, scenario, tuning, asked) as loops:
            reading = await stand.drive(loops, told)
        return await finish(where, before, told, reading)


async def tune(stand: Stand, scenario: Scenario) -> Tuning:
    """The quickest way to the limit; each is tried twice, for a short time."""
    tried = tunings(scenario)
    rates = [0.0] * len(tried)
    async with stand.database() as (where, _):
        for _ in range(TUNING_ROUNDS):
            for number, tuning in enumerate(tried):
                rates[number] += await _try(stand, where, scenario, tuning)
    return tried[rates.index(max(rates))]


async def _try(stand: Stand, where: Place, scenario: Scenario, tuning: Tuning) -> float:
    seconds = stand.pace.try_seconds
    asked = sales(scenario, run=stand.next_run(), seed=SEED)
    async with limit(where, scenario, tuning, asked) as loops:
        reading = await drive(
            loops, Told(), watch=stand.watch(), seconds=seconds, warm_seconds=seconds / 4
        )
    return reading.sales / reading.seconds


async def rush(stand: Stand, way: str) -> Books:
    """Many ask for few units at once; exactly those that are there may be granted."""
    async with stand.database() as (where, run):
        before, told, names = await books.opening(where), Told(), refs(run)
        async with _open(way, where) as (ask, after):
            loops = [_asking(ask, names, where.few)] * RUSH_CALLERS
            reading = await drive(
                loops, told, watch=stand.watch(), seconds=RUSH_SECONDS_MAX, warm_seconds=0
            )
            faults = await after()
        if told.grants != FEW_UNITS:
            faults.append(f"{told.grants} holds were granted of {FEW_UNITS} units")
        return (await finish(where, before, told, reading, faults)).books


def _asking(ask: Sell, names: Iterator[str], number: int) -> Loop:
    async def loop(meter: Meter) -> None:
        for _ in range(RUSH_TIMES):
            granted = await ask(next(names), (number,))
            meter.note((number,), 0.0, granted=granted)

    return loop


@asynccontextmanager
async def _open(way: str, where: Place) -> AsyncIterator[tuple[Sell, After]]:
    if way == "ours":
        async with ours(where) as till:
            yield till.sell, till.tell_again
    else:
        async with ORDINARY[way](where) as ask:
            yield ask, _nothing


async def _nothing() -> list[str]:
    return []
