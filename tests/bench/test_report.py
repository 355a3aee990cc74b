"""The report: medians and spread, the ten ratios, what is printed."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from inventory.bench import show
from inventory.bench.books import Books
from inventory.bench.load import Reading
from inventory.bench.machine import Machine
from inventory.bench.ratios import AIMS, Aim, further, ratios
from inventory.bench.report import Check, Measurement, Report, spread
from inventory.bench.stand import Pace, Sample, Storage

RATIOS = [
    "hot_vs_naive",
    "hot_vs_limit",
    "flatness_8_to_4096",
    "multi_vs_hot",
    "rest_vs_null",
    "bulk_vs_limit",
    "bytes_per_movement",
    "cpu_ms_per_sale",
    "deadlocks",
    "books_ok",
]


def sample(
    sales: int, *, lines: int = 0, movements: int = 100, deadlocks: int = 0, fault: str = ""
) -> Sample:
    """One second in which so much was sold."""
    return Sample(
        reading=Reading(
            sales=sales,
            lines=lines or sales,
            seconds=1.0,
            p50_ms=1.5,
            p99_ms=9.0,
            cpu_ms_per_sale=0.05,
            others_cpu=None,
        ),
        refusals=0,
        books=Books(
            facts=movements,
            movements=movements,
            deadlocks=deadlocks,
            faults=(fault,) if fault else (),
        ),
        storage=Storage(
            fact=150 * movements,
            movement=50 * movements + 2_000,
            reservation=0,
            movements=movements,
        ),
    )


def line(way: str, scenario: str, callers: int, *samples: Sample) -> Measurement:
    """One measurement."""
    return Measurement(way=way, scenario=scenario, callers=callers, samples=list(samples))


def whole() -> list[Measurement]:
    """What a short run measures."""
    return [
        line("limit", "HOT", 1, sample(90_000), sample(100_000), sample(120_000)),
        line("naive", "HOT", 32, sample(500)),
        line("ours", "HOT", 8, sample(40_000)),
        line("ours", "HOT", 32, sample(50_000, movements=1_000)),
        line("ours", "HOT", 4_096, sample(64_000)),
        line("ours", "MULTI", 32, sample(16_000, lines=48_000)),
        line("rest", "HOT", 32, sample(1_700)),
        line("null", "HOT", 32, sample(2_000)),
        line("bulk", "HOT", 4, sample(55_000)),
    ]


def report(measurements: list[Measurement], *checks: Check) -> Report:
    """A report of them."""
    return Report(
        mode="quick",
        started_at=datetime(2026, 11, 21, tzinfo=UTC),
        took_seconds=100.0,
        pace=Pace(),
        repetitions=3,
        machine=Machine(
            processors=2,
            processor="a processor",
            memory_gib=24.0,
            system="Linux",
            python="3.11",
            postgresql="18.6",
            settings={"fsync": "on"},
            file_system="ext4",
            syncs_per_second=7_000,
            load_average=0.1,
            warnings=(),
        ),
        measurements=measurements,
        checks=list(checks),
        ratios=ratios(measurements, checks),
        further=further(measurements),
    )


def test_a_spread_has_the_median_and_the_bounds() -> None:
    found = spread([3.0, 1.0, 2.0])

    assert found is not None
    assert (found.median, found.min, found.max, found.each) == (2.0, 1.0, 3.0, (3.0, 1.0, 2.0))
    assert spread([1.0, None]) is None
    assert spread([]) is None


def test_ratios_are_always_the_same_ten() -> None:
    assert list(ratios([], [])) == RATIOS
    assert ratios(whole(), []) == {
        "hot_vs_naive": 100.0,
        "hot_vs_limit": 0.64,
        "flatness_8_to_4096": 0.625,
        "multi_vs_hot": 0.75,
        "rest_vs_null": 0.85,
        "bulk_vs_limit": 0.55,
        "bytes_per_movement": 202.0,
        "cpu_ms_per_sale": 0.05,
        "deadlocks": 0,
        "books_ok": True,
    }


def test_what_was_not_measured_is_none() -> None:
    found = ratios([], [])

    assert {name for name, figure in found.items() if figure is not None} == {
        "deadlocks",
        "books_ok",
    }
    assert set(further([]).values()) == {None}


def test_longer_runs_have_further_ratios() -> None:
    found = further(
        [
            line("ours", "ZIPF", 512, sample(30_000)),
            line("limit", "ZIPF", 2, sample(60_000)),
            line("processes", "HOT", 1, sample(50_000)),
            line("processes", "HOT", 2, sample(70_000)),
            line("processes", "HOT", 4, sample(40_000)),
            line("empty", "HOT", 512, sample(50_000)),
            line("grown", "HOT", 512, sample(45_000)),
        ]
    )

    assert found["zipf_vs_limit"] == 0.5
    assert found["four_processes_vs_one"] == 0.8
    assert found["grown_vs_empty_hot"] == 0.9
    assert found["spread_vs_limit"] is None


def test_every_ratio_has_an_aim() -> None:
    assert set(AIMS) == set(RATIOS) | set(further([]))
    assert Aim(0.6).met(0.6)
    assert not Aim(0.6).met(0.59)
    assert Aim(300, at_most=True).met(300)
    assert not Aim(300, at_most=True).met(301)


@pytest.mark.parametrize(
    ("measurement", "check"),
    [
        (line("ours", "HOT", 8, sample(1, fault="SKU 1 is oversold")), None),
        (line("ours", "HOT", 8, sample(1, deadlocks=2)), None),
        (
            line("ours", "HOT", 8, sample(1)),
            Check(name="few units", books=sample(1, fault="101 of 100").books),
        ),
    ],
)
def test_a_wrong_book_or_a_deadlock_fails_the_run(
    measurement: Measurement, check: Check | None
) -> None:
    assert not report([measurement], *([check] if check else [])).ok


def test_a_missed_aim_is_shown_and_does_not_fail_the_run() -> None:
    found = report(whole())
    text = list(show.lines(found))

    assert found.ok
    rows = [row.split() for row in text]
    assert ["flatness_8_to_4096", "0.625", "≥", "0.85", "MISSED"] in rows
    assert ["hot_vs_limit", "0.64", "≥", "0.6", "met"] in rows
    assert ["books_ok", "yes", "yes", "met"] in rows
    [limit] = [row for row in text if row.startswith("limit")]
    assert limit.split()[:6] == ["limit", "HOT", "1", "100,000", "90,000", "120,000"]


def test_the_json_report_holds_every_figure() -> None:
    content = json.loads(json.dumps(report(whole()).as_json()))

    assert list(content["ratios"]) == RATIOS
    limit = content["measurements"][0]
    assert limit["sales_per_second"] == {
        "median": 100_000.0,
        "min": 90_000.0,
        "max": 120_000.0,
        "each": [90_000.0, 100_000.0, 120_000.0],
    }
    assert limit["p99_ms"]["median"] == 9.0
    assert limit["others_cpu"] is None
    assert content["machine"]["file_system"] == "ext4"
