"""Runs the machine on a database of its own."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as seeded
from hypothesis.stateful import run_state_machine_as_test

from inventory import ledger
from inventory.embedded import create_database, drop_database
from tests.ledger.machine.house import PROCESSES
from tests.ledger.machine.machine import LedgerMachine
from tests.rivals import Staged

STEPS_PER_EXAMPLE = 50
# After a lost connection; the server of a test is there again at once.
PAUSE_SECONDS = 0.002


def run_machine(url: str, template: str, *, examples: int, seed: int | None) -> int:
    """Run so many examples; how many steps told the ledger something.

    Without a seed they are the same every time. Raises what the first wrong example raises, after
    printing it at its shortest.
    """
    chosen = settings(
        max_examples=examples,
        stateful_step_count=STEPS_PER_EXAMPLE,
        derandomize=seed is None,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )
    name = f"machine_{uuid4().hex[:12]}"
    pause, ledger.LOST_PAUSE_SECONDS = ledger.LOST_PAUSE_SECONDS, PAUSE_SECONDS
    with asyncio.Runner() as runner:
        own = runner.run(create_database(url, name, template=template))
        stages = [Staged(own) for _ in range(PROCESSES)]

        class Machine(LedgerMachine):
            steps = 0

        Machine.stages, Machine.runner = stages, runner
        try:
            chosen_machine = Machine if seed is None else seeded(seed)(Machine)
            run_state_machine_as_test(chosen_machine, settings=chosen)
        finally:
            ledger.LOST_PAUSE_SECONDS = pause
            for stage in stages:
                runner.run(stage.aclose())
            runner.run(drop_database(url, name))
    return Machine.steps
