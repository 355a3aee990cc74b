"""Three kills in the middle of load, on a PostgreSQL that waits for the disk.

Every acknowledged sale is there once; what nobody acknowledged was told again, to a single effect.
`./hikiate soak` kills fifty times.
"""

from __future__ import annotations

from pathlib import Path

from inventory.processes import Supervisor
from tests.ledger.machine.kills import VICTIMS, run_kills


def test_nothing_acknowledged_is_lost_and_nothing_told_again_counts_twice(tmp_path: Path) -> None:
    with Supervisor(tmp_path / "logs") as supervisor:
        report = run_kills(supervisor, tmp_path, VICTIMS, seed=1)
    assert report.differences == []
    assert report.kills == dict.fromkeys(VICTIMS, 1)
    assert report.acknowledged > 0
    assert report.told_in_vain > 0
