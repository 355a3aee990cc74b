"""The report as people read it: one line a measurement, then each aim and whether it was met."""

from __future__ import annotations

from collections.abc import Iterator

from inventory.bench.ratios import AIMS
from inventory.bench.report import Measurement, Report, Spread


def lines(report: Report) -> Iterator[str]:
    """The lines to print."""
    yield from heading(report)
    yield ""
    yield (
        f"{'way':<14}{'stock':<8}{'callers':>7}{'sales/s':>10}{'from':>10}{'to':>10}"
        f"{'lines/s':>10}{'p50 ms':>9}{'p99 ms':>9}{'CPU-ms':>8}{'others':>8}  books"
    )
    for measurement in report.measurements:
        yield measured(measurement)
    yield ""
    for check in report.checks:
        yield f"{check.name}: {'; '.join(check.books.faults) or 'books agree'}"
    yield ""
    yield f"{'ratio':<30}{'found':>10}  {'aim':<9}"
    for name, figure in {**report.ratios, **report.further}.items():
        if figure is not None or name in report.ratios:
            yield ratio(name, figure)


def heading(report: Report) -> Iterator[str]:
    """What was measured, and on what."""
    machine, pace = report.machine, report.pace
    yield (
        f"bench ledger, {report.mode}: {report.repetitions} × {pace.seconds:g} s each, medians;"
        f" took {report.took_seconds:.0f} s"
    )
    memory = f", {machine.memory_gib:g} GiB" if machine.memory_gib else ""
    yield (
        f"{machine.processors} × {machine.processor}{memory}; {machine.system};"
        f" Python {machine.python}, PostgreSQL {machine.postgresql}"
    )
    settings = ", ".join(f"{name} {value}" for name, value in machine.settings.items())
    yield (
        f"data on {machine.file_system} ({machine.syncs_per_second:,} syncs/s);"
        f" load average {machine.load_average:g} before; {settings}"
    )
    for warning in machine.warnings:
        yield f"WARNING {warning}"


def measured(measurement: Measurement) -> str:
    """One measurement in one line."""
    sales, sold = measurement.sales_per_second, measurement.lines_per_second
    faults = [fault for sample in measurement.samples for fault in sample.books.faults]
    books = f"WRONG: {faults[0]}" if faults else "agree"
    if measurement.deadlocks:
        books += f", {measurement.deadlocks} deadlocks"
    note = f" ({measurement.note})" if measurement.note else ""
    return (
        f"{measurement.way:<14}{measurement.scenario:<8}{measurement.callers:>7,}"
        f"{_rate(sales, 'median')}{_rate(sales, 'min')}{_rate(sales, 'max')}"
        f"{_rate(sold, 'median')}"
        f"{_fraction(measurement.p50_ms, 9, 1)}{_fraction(measurement.p99_ms, 9, 1)}"
        f"{_fraction(measurement.cpu_ms_per_sale, 8, 3)}"
        f"{_fraction(measurement.others_cpu, 8, 2)}  {books}{note}"
    )


def ratio(name: str, figure: float | bool | None) -> str:  # noqa: FBT001 -- a figure as found
    """One ratio, its aim beside it."""
    aim = AIMS[name]
    if figure is None:
        return f"{name:<30}{'–':>10}  {aim!s:<9} not measured"
    if isinstance(figure, bool):
        shown, wanted = ("yes" if figure else "no"), "yes"
    else:
        shown, wanted = f"{figure:,.4g}", str(aim)
    return f"{name:<30}{shown:>10}  {wanted:<9} {'met' if aim.met(figure) else 'MISSED'}"


def _rate(found: Spread | None, which: str) -> str:
    return f"{'–' if found is None else format(round(getattr(found, which)), ','):>10}"


def _fraction(found: Spread | None, width: int, digits: int) -> str:
    return f"{'–' if found is None else format(found.median, f',.{digits}f'):>{width}}"
