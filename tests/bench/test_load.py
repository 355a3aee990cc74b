"""Closed loops and what is counted of them."""

from __future__ import annotations

import asyncio
import os

import pytest

from inventory.bench.cpu import Used, Watch
from inventory.bench.load import Meter, Told, caller, drive, quantile_ms
from inventory.bench.scenarios import Basket, refs


@pytest.mark.parametrize(
    ("seconds", "fraction", "expected"),
    [
        ([], 0.5, None),
        ([0.007], 0.99, 7),
        ([0.001, 0.002, 0.003, 0.004], 0.5, 2),
        ([0.001, 0.002, 0.003, 0.004], 0.99, 4),
        ([number / 1_000 for number in range(1, 101)], 0.99, 99),
    ],
)
def test_quantiles(seconds: list[float], fraction: float, expected: float | None) -> None:
    assert quantile_ms(seconds, fraction) == (expected and pytest.approx(expected))


def test_what_is_told_counts_always_and_what_is_measured_only_meanwhile() -> None:
    meter = Meter(Told())

    meter.note((3, 5), 0.1, granted=True)
    meter.recording = True
    meter.note((3,), 0.2, granted=True)
    meter.note((4,), 0.3, granted=False)
    meter.note_many([(1, 2), (2, 3)], 0.4)

    assert (meter.told.grants, meter.told.refusals) == (4, 1)
    assert meter.told.reserved == {1: 1, 2: 2, 3: 3, 5: 1}
    assert (meter.sales, meter.lines) == (3, 5)
    assert list(meter.latencies) == [0.2, 0.4]


async def test_callers_ask_again_as_soon_as_they_are_answered() -> None:
    sold: list[tuple[str, Basket]] = []

    async def sell(ref: str, basket: Basket) -> bool:
        sold.append((ref, basket))
        await asyncio.sleep(0)
        return True

    told = Told()
    asked = ((ref, (0,)) for ref in refs(1))
    reading = await drive(
        [caller(sell, asked)] * 3, told, watch=Watch(os.getpid()), seconds=0.05, warm_seconds=0
    )

    assert told.grants == len(sold) == len({ref for ref, _ in sold})
    assert 0 < reading.sales <= told.grants


async def test_a_caller_that_fails_ends_the_measurement() -> None:
    async def sell(_: str, __: Basket) -> bool:
        raise LookupError("no such SKU")

    asked = ((ref, (0,)) for ref in refs(1))
    with pytest.raises(LookupError, match="no such SKU"):
        await drive(
            [caller(sell, asked)] * 3, Told(), watch=Watch(os.getpid()), seconds=60, warm_seconds=60
        )


def test_processor_time_only_grows() -> None:
    watch = Watch(os.getpid())
    before = watch.used()
    sum(number * number for number in range(100_000))
    after = watch.used()

    assert isinstance(before, Used)
    if before.counted is None or after.counted is None:
        pytest.skip("this system does not tell processor time")
    assert after.counted >= before.counted
