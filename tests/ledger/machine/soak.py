"""The long run behind `hikiate soak`: kills under load, then drawn steps until the time is over."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

from inventory import schema
from inventory.embedded import create_database, start_postgres
from inventory.processes import Supervisor
from tests.conftest import HASTY
from tests.ledger.machine.kills import VICTIMS, run_kills
from tests.ledger.machine.run import run_machine

# Examples of one seed; a difference is repeated by it.
EXAMPLES = 25
TEMPLATE = "machine_template"


class Soak:
    """What was done so far, and what was wrong with it."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.steps = 0
        self.seeds = 0
        self.kills: dict[str, Any] = {}
        self.differences: list[str] = []

    def kill(self, folder: Path, count: int) -> None:
        """Kill so many servers and sessions in the middle of load."""
        dice = random.Random(self.seed)
        victims = [*VICTIMS, *(dice.choice(VICTIMS) for _ in range(count))][:count]
        with Supervisor(folder / "logs") as supervisor:
            try:
                report = run_kills(supervisor, folder, victims, seed=self.seed)
            except BaseException as error:
                self._differ(f"kills with seed {self.seed}", error)
                raise
        self.kills = {
            "kills": report.kills,
            "acknowledged": report.acknowledged,
            "told_in_vain": report.told_in_vain,
        }
        self.differences += report.differences
        say(f"{sum(report.kills.values())} kills, {report.acknowledged} facts acknowledged")

    def draw(self, folder: Path, minutes: float) -> None:
        """Tell drawn facts until the time is over, or something differs."""
        until = time.monotonic() + minutes * 60
        with Supervisor(folder / "logs") as supervisor:
            url = start_postgres(folder, supervisor, settings=dict.fromkeys(HASTY, "off")).url
            asyncio.run(schema.migrate(asyncio.run(create_database(url, TEMPLATE))))
            while time.monotonic() < until and not self.differences:
                seed = self.seed + self.seeds
                try:
                    self.steps += run_machine(url, TEMPLATE, examples=EXAMPLES, seed=seed)
                except Exception as error:  # noqa: BLE001 -- whatever it is, it is what we look for
                    self._differ(f"steps with seed {seed}", error)
                self.seeds += 1
                say(f"{self.steps} steps, seeds {self.seed} to {seed}")

    def _differ(self, what: str, error: BaseException) -> None:
        text = "".join(traceback.format_exception(error))
        self.differences.append(f"{what}: {error}")
        say(f"{text}\nrepeat with: ./hikiate soak --seed {self.seed + self.seeds}")

    def report(self) -> dict[str, Any]:
        """All of it, for a file."""
        return {
            "seed": self.seed,
            "seeds": self.seeds,
            "steps": self.steps,
            **self.kills,
            "differences": self.differences,
            "ok": not self.differences,
        }


def say(text: str) -> None:
    """One line of progress."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def main() -> int:
    """Exit code 1 when something differs."""
    parser = argparse.ArgumentParser(prog="hikiate soak")
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--kills", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--report", type=Path)
    chosen = parser.parse_args()
    # The driver says of every lost connection what is asked for here.
    logging.getLogger("asyncpg").setLevel(logging.CRITICAL)
    soak = Soak(chosen.seed)
    say(f"seed {chosen.seed}")
    folder = Path(tempfile.mkdtemp(prefix="hikiate-soak-"))
    try:
        if chosen.kills:
            soak.kill(folder / "kills", chosen.kills)
        if chosen.minutes:
            soak.draw(folder / "steps", chosen.minutes)
    finally:
        if soak.differences:
            say(f"data and logs stay in {folder}")
        else:
            shutil.rmtree(folder)
        text = json.dumps(soak.report(), indent=2)
        if chosen.report is not None:
            chosen.report.write_text(text + "\n", encoding="utf-8")
        sys.stdout.write(text + "\n")
    return 1 if soak.differences else 0


if __name__ == "__main__":
    sys.exit(main())
