"""What one sees while the night runs, and the summary after it."""

from __future__ import annotations

from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from inventory.demo import audit, report
from inventory.demo.evidence import Evidence
from inventory.demo.shop import KINDS


class Board:
    """Shows the night live on a terminal, as a line now and then elsewhere (standard error)."""

    LINE_SECONDS = 10

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self._live = Live(console=self.console, auto_refresh=False, transient=False)
        self._next_line = 0.0

    def say(self, text: str) -> None:
        """One line of news."""
        self.console.print(text, highlight=False, soft_wrap=True)

    def open(self) -> None:
        """Begin to show the table, where there is a terminal."""
        if self.console.is_terminal:
            self._live.start()

    def close(self) -> None:
        """Leave the last table standing."""
        if self.console.is_terminal:
            self._live.stop()

    def show(self, evidence: Evidence, *, second: float, phase: str, alerts: int) -> None:
        """The state of the night at its `second`."""
        figures = report.shown(evidence)
        totals = _totals(evidence, alerts)
        if self.console.is_terminal:
            heading = Text(f"{phase}, second {second:.0f}   {totals}")
            self._live.update(Group(heading, _table(evidence, figures)), refresh=True)
        elif second >= self._next_line:
            self._next_line = second + self.LINE_SECONDS
            sales = ", ".join(f"{kind} {figures[kind]['sold']}" for kind in KINDS)
            self.say(f"{phase} {second:3.0f} s  sold: {sales}  {totals}")


def _totals(evidence: Evidence, alerts: int) -> str:
    short = sum(row["shortage"] for row in evidence.rows["cases"] if row["state"] == "open")
    given_up = sum(row["state"] == "confirmed" for row in evidence.rows["cancellations"])
    return (
        f"stale listings {len(audit.stale(evidence))}  units short {short}"
        f"  orders given up {given_up}  alerts delivered {alerts}"
    )


def _table(evidence: Evidence, figures: dict[str, dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("channel", "orders", "numbers pushed", "others lowered after: half", "99 %"):
        table.add_column(heading, justify="left" if heading == "channel" else "right")
    for kind in KINDS:
        sold = figures[kind]
        pushed = sum(row["kind"] == kind for row in evidence.rows["pushes"])
        late = sold["when_lowered"]
        table.add_row(kind, str(sold["sold"]), str(pushed), _ms(late["p50"]), _ms(late["p99"]))
    return table


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f} ms"
