"""Two thousand drawn steps, the same in every run: the ledger does what its model does.

`./hikiate soak` goes on from here with other seeds.
"""

from __future__ import annotations

import pytest

from tests.ledger.machine.run import run_machine

STEPS = 2_000


def test_the_ledger_agrees_with_its_model(
    postgres: str, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_machine(postgres, template, examples=75, seed=None) >= STEPS
