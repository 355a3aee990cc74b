"""Closed loops: callers that ask again as soon as they are answered, and what is measured."""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from array import array
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence

from msgspec import Struct

from inventory.bench.cpu import Used, Watch
from inventory.bench.scenarios import Basket

MILLISECONDS = 1_000


class Told:
    """What callers were told in one database, to be compared with its books afterwards.

    `reserved` and `adjusted` are units per number of SKU; `grants` are holds that were granted.
    """

    def __init__(self) -> None:
        self.reserved: Counter[int] = Counter()
        self.adjusted: Counter[int] = Counter()
        self.grants = 0
        self.refusals = 0


class Meter:
    """What one measurement counts. Callers go on until `ended`."""

    def __init__(self, told: Told) -> None:
        self.told = told
        self.ended = False
        self.recording = False
        self.sales = 0
        self.lines = 0
        self.latencies = array("d")

    def note(self, basket: Basket, seconds: float, *, granted: bool) -> None:
        """One sale was answered after `seconds`; only granted ones count as sold."""
        told = self.told
        if not granted:
            told.refusals += 1
            return
        told.grants += 1
        for number in basket:
            told.reserved[number] += 1
        if self.recording:
            self.sales += 1
            self.lines += len(basket)
            self.latencies.append(seconds)

    def note_many(self, lots: Sequence[Basket], seconds: float) -> None:
        """Many sales were granted at once, after `seconds`."""
        told = self.told
        told.grants += len(lots)
        told.reserved.update(itertools.chain.from_iterable(lots))
        self.note_work(len(lots), sum(map(len, lots)), seconds)

    def note_work(self, sales: int, lines: int, seconds: float) -> None:
        """A request that did so much was answered after `seconds`."""
        if self.recording:
            self.sales += sales
            self.lines += lines
            self.latencies.append(seconds)


Loop = Callable[[Meter], Awaitable[None]]
Sell = Callable[[str, Basket], Awaitable[bool]]


class Reading(Struct, frozen=True, kw_only=True):
    """What was counted in `seconds`.

    `cpu_ms_per_sale` is processor time of what is measured, `others_cpu` the processors that the
    rest of the machine kept busy meanwhile; both None where the system does not tell.
    """

    sales: int
    lines: int
    seconds: float
    p50_ms: float | None
    p99_ms: float | None
    cpu_ms_per_sale: float | None
    others_cpu: float | None


def caller(sell: Sell, asked: Iterator[tuple[str, Basket]]) -> Loop:
    """One caller in a closed loop; callers may share `asked`."""

    async def loop(meter: Meter) -> None:
        while not meter.ended:
            ref, basket = next(asked)
            began = time.perf_counter()
            granted = await sell(ref, basket)
            meter.note(basket, time.perf_counter() - began, granted=granted)

    return loop


async def drive(
    loops: Sequence[Loop], told: Told, *, watch: Watch, seconds: float, warm_seconds: float
) -> Reading:
    """Run all loops, measure for `seconds` once they are warm, and let each end its last call.

    Raises what a loop raised; the others are cancelled then.
    """
    meter = Meter(told)
    tasks = [asyncio.ensure_future(loop(meter)) for loop in loops]
    everybody = asyncio.gather(*tasks)
    try:
        await _stay(everybody, warm_seconds)
        meter.recording, before, began = True, watch.used(), time.perf_counter()
        await _stay(everybody, seconds)
        meter.recording, lasted, after = False, time.perf_counter() - began, watch.used()
        meter.ended = True
        await everybody
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return _reading(meter, lasted, before, after)


async def _stay(everybody: asyncio.Future[list[None]], seconds: float) -> None:
    """Wait so long, or until all have ended or one has failed; raises what that one raised."""
    await asyncio.wait([everybody], timeout=seconds)
    if everybody.done():
        everybody.result()


def _reading(meter: Meter, lasted: float, before: Used, after: Used) -> Reading:
    ordered = sorted(meter.latencies)
    counted = _between(before.counted, after.counted)
    machine = _between(before.machine, after.machine)
    others = None
    if counted is not None and machine is not None:
        others = max(machine - counted - (after.apart - before.apart), 0.0) / lasted
    per_sale = None
    if counted is not None and meter.sales:
        per_sale = counted * MILLISECONDS / meter.sales
    return Reading(
        sales=meter.sales,
        lines=meter.lines,
        seconds=lasted,
        p50_ms=quantile_ms(ordered, 0.50),
        p99_ms=quantile_ms(ordered, 0.99),
        cpu_ms_per_sale=per_sale,
        others_cpu=others,
    )


def _between(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before


def quantile_ms(ordered: Sequence[float], fraction: float) -> float | None:
    """The smallest of some seconds, given in order, that `fraction` of them do not exceed; in ms.

    None where there are none.
    """
    if not ordered:
        return None
    return ordered[max(math.ceil(len(ordered) * fraction), 1) - 1] * MILLISECONDS
