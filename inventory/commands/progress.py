"""Progress of long work: a bar on a terminal, a line now and then elsewhere, on standard error."""

from __future__ import annotations

import sys
import time

WIDTH = 30
TERMINAL_SECONDS = 0.1
LOG_SECONDS = 5.0


class Progress:
    """Tells how far a piece of work has come, not more often than anybody can read."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._pause = TERMINAL_SECONDS if self._terminal else LOG_SECONDS
        self._told_at = time.monotonic() - (TERMINAL_SECONDS if self._terminal else 0)
        self._what = ""

    def tell(self, what: str, done: int, total: int | None) -> None:
        """Say that `done` of `total` (0 or None: nobody knows) are done."""
        ended = bool(total) and done >= (total or 0)
        now = time.monotonic()
        if not ended and what == self._what and now - self._told_at < self._pause:
            return
        self._what, self._told_at = what, now
        line = f"{what}: {done:,} of {total:,}" if total else f"{what}: {done:,}"
        if not self._terminal:
            sys.stderr.write(f"{line}\n")
            return
        filled = WIDTH * done // total if total else 0
        bar = "█" * min(filled, WIDTH) + "·" * (WIDTH - min(filled, WIDTH)) if total else ""
        sys.stderr.write(f"\r\033[K{bar} {line}" + ("\n" if ended else ""))
        sys.stderr.flush()
