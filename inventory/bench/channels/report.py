"""What a run of `bench channels` found: for programs as JSON, for people as a table."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from inventory.bench.channels.bounds import BOUNDS
from inventory.bench.channels.resync import Resync
from inventory.bench.channels.sales import Burst, Shown
from inventory.bench.channels.watch import Backlog
from inventory.bench.machine import Machine

USED_LEAST = 0.9
RESYNC_MOST = 1.1


class ChannelFigures(Struct, kw_only=True):
    """What was found for one kind; None is what was not measured."""

    kind: str
    backlog: Backlog | None = None
    resync: Resync | None = None
    sale_to_shown: Shown | None = None
    burst: Burst | None = None
    exceeded: int = 0
    limits: list[dict[str, Any]] = msgspec.field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        bound = BOUNDS[self.kind]
        return {
            "kind": self.kind,
            "budget_used": self.backlog.budget_used if self.backlog else None,
            "budget_exceeded": self.exceeded,
            "resync_vs_bound": self.resync.against_bound if self.resync else None,
            "intake_bound_orders_per_second": round(bound.orders_per_second, 3),
            "backlog": msgspec.to_builtins(self.backlog),
            "resync": msgspec.to_builtins(self.resync),
            "sale_to_shown": msgspec.to_builtins(self.sale_to_shown),
            "burst": msgspec.to_builtins(self.burst),
            "limits": self.limits,
        }


class ChannelsReport(Struct, frozen=True, kw_only=True):
    """A whole run."""

    started_at: datetime
    took_seconds: float
    machine: Machine
    channels: list[ChannelFigures]

    @property
    def ok(self) -> bool:
        """Whether no marketplace counted a call as too many."""
        return not any(found.exceeded for found in self.channels)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "started_at": self.started_at.isoformat(),
            "took_seconds": round(self.took_seconds, 1),
            "machine": msgspec.to_builtins(self.machine),
            "channels": {found.kind: found.as_json() for found in self.channels},
        }


def lines(report: ChannelsReport) -> Iterator[str]:
    """The report as people read it."""
    machine = report.machine
    yield (
        f"bench channels; took {report.took_seconds:.0f} s; {machine.processors} ×"
        f" {machine.processor}; Python {machine.python}, PostgreSQL {machine.postgresql};"
        f" load average {machine.load_average:g} before"
    )
    yield ""
    yield (
        f"{'channel':<10}{'used/s':>9}{'permitted':>10}{'share':>7}{'SKUs/s':>9}{'permitted':>10}"
        f"{'too many':>9}{'resync':>8}"
    )
    for found in report.channels:
        yield _budget_line(found)
    yield ""
    yield (
        f"{'channel':<10}{'bound':>8}{'orders/s':>9}{'shown p50':>11}{'p99':>9}"
        f"{'burst':>7}{'drained':>9}{'bound':>8}{'beyond':>8}"
    )
    for found in report.channels:
        yield _intake_line(found)
    yield ""
    yield from _verdicts(report)


def _budget_line(found: ChannelFigures) -> str:
    work = found.backlog
    return (
        f"{found.kind:<10}{_figure(work, 'used_per_second', 9, 2)}"
        f"{_figure(work, 'permitted_per_second', 10, 2)}{_figure(work, 'budget_used', 7, 2)}"
        f"{_figure(work, 'numbers_per_second', 9, 1)}"
        f"{_figure(work, 'numbers_permitted_per_second', 10, 1)}"
        f"{found.exceeded:>9}{_figure(found.resync, 'against_bound', 8, 2)}"
    )


def _intake_line(found: ChannelFigures) -> str:
    sold, burst = found.sale_to_shown, found.burst
    reckoned = burst is not None and burst.drain_seconds is None
    return (
        f"{found.kind:<10}{_figure(BOUNDS[found.kind], 'orders_per_second', 8, 2)}"
        f"{_figure(sold, 'orders_per_second', 9, 2)}"
        f"{_figure(sold, 'p50_ms', 8, 0)} ms{_figure(sold, 'p99_ms', 6, 0)} ms"
        f"{_figure(burst, 'orders', 7, 0)}{_figure(burst, 'reckoned_seconds', 7, 0)} s"
        f"{_figure(burst, 'bound_seconds', 6, 0)} s"
        f"{_figure(burst, 'beyond_bound_seconds', 6, 1)} s{' (reckoned)' if reckoned else ''}"
    )


def _verdicts(report: ChannelsReport) -> Iterator[str]:
    for found in report.channels:
        used = found.backlog.budget_used if found.backlog else None
        again = found.resync.against_bound if found.resync else None
        used_met = "not measured" if used is None else _met(used >= USED_LEAST)
        again_met = "not measured" if again is None else _met(again <= RESYNC_MOST)
        yield (
            f"{found.kind}: budget used {used_met} (≥ {USED_LEAST}), exceeded"
            f" {_met(not found.exceeded)} (0), resync {again_met} (≤ {RESYNC_MOST})"
        )
        urgent = found.resync.urgent if found.resync else None
        if urgent is not None:
            calls = "" if urgent.calls is None else f" with call {urgent.calls}"
            yield (
                f"{found.kind}: a sale in the middle of the resync of"
                f" {found.resync.listings if found.resync else 0:,} listings was written{calls}"
                f" after {urgent.seconds:.1f} s"
            )


def _met(is_met: bool) -> str:  # noqa: FBT001 -- a verdict is a bool by nature
    return "met" if is_met else "MISSED"


def _figure(of: Struct | None, name: str, width: int, digits: int) -> str:
    found = None if of is None else getattr(of, name)
    return f"{'–' if found is None else format(found, f',.{digits}f'):>{width}}"
