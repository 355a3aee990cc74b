"""What the bench of webhooks makes of its measurements."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from inventory.bench.machine import Machine
from inventory.bench.webhooks import Side, WebhooksReport, _quantile

MACHINE = Machine(
    processors=2,
    processor="x",
    memory_gib=None,
    system="x",
    python="3",
    postgresql="18",
    settings={},
    file_system="ext4",
    syncs_per_second=1,
    load_average=0.0,
    warnings=(),
)


def report(*, p99: float, lost: int = 0) -> WebhooksReport:
    living = Side(messages=100, lost=0, p50_ms=10.0, p99_ms=100.0, rounds_p99_ms=[100.0])
    beside = Side(messages=100, lost=lost, p50_ms=10.0, p99_ms=p99, rounds_p99_ms=[p99])
    return WebhooksReport(
        started_at=datetime(2026, 11, 22, tzinfo=UTC),
        took_seconds=1.0,
        machine=MACHINE,
        endpoints=20,
        dead=2,
        living=living,
        beside_dead=beside,
        p99_ratio=p99 / 100,
        p99_ratio_pooled=p99 / 100,
    )


def test_quantile_is_a_value_that_was_measured() -> None:
    found = [float(n) for n in range(1, 101)]
    assert (_quantile(found, 0.5), _quantile(found, 0.99)) == (51.0, 100.0)
    assert (_quantile([3.0], 0.99), _quantile([], 0.99)) == (3.0, 0.0)


@pytest.mark.parametrize(("p99", "isolated"), [(110.0, True), (111.0, False)])
def test_ratio_is_held_against_its_aim(p99: float, isolated: bool) -> None:
    found = report(p99=p99)
    assert found.as_json()["isolated"] is isolated
    assert found.ok
    assert "at most 1.10" in found.lines()[-1]


def test_a_lost_message_is_no_success() -> None:
    assert not report(p99=100.0, lost=1).ok
