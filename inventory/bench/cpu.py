"""Processor time used, as the kernel counts it; None where it does not tell (no /proc)."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from msgspec import Struct

PROC = Path("/proc")
# Fields of /proc/<pid>/stat after the program's name, which may contain anything.
PARENT, USER, SYSTEM, ENDED_USER, ENDED_SYSTEM = 1, 11, 12, 13, 14
STAT_FIELDS_MIN = 15
BUSY = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
IDLE = frozenset({"idle", "iowait"})


class Used(Struct, frozen=True, kw_only=True):
    """Seconds of processor time so far; None where the system does not tell.

    `counted` is that of what is measured, `apart` that of a client that is not, `machine` all.
    """

    counted: float | None
    apart: float
    machine: float | None


class Watch:
    """Whose processor time counts: PostgreSQL's, that of `servers`, and our own where `own`.

    `postmaster` is the process id of PostgreSQL's first process; all others are its children.
    """

    def __init__(self, postmaster: int, *, servers: Collection[int] = (), own: bool = True) -> None:
        self._postmaster = postmaster
        self._servers = frozenset(servers)
        self._own = own

    def used(self) -> Used:
        """What was used until now."""
        mine = time.process_time()
        counted, apart = (mine, 0.0) if self._own else (0.0, mine)
        if not (PROC / "self/stat").exists():
            return Used(counted=None, apart=apart, machine=None)
        counted += sum(self._others())
        return Used(counted=counted, apart=apart, machine=_machine_seconds())

    def _others(self) -> Iterator[float]:
        tick = os.sysconf("SC_CLK_TCK")
        for folder in PROC.iterdir():
            if not folder.name.isdecimal():
                continue
            fields = _stat(folder)
            pid = int(folder.name)
            if len(fields) < STAT_FIELDS_MIN:
                continue
            if pid in self._servers or int(fields[PARENT]) == self._postmaster:
                yield (int(fields[USER]) + int(fields[SYSTEM])) / tick
            elif pid == self._postmaster:
                # With what its sessions had used that are over by now.
                ended = int(fields[ENDED_USER]) + int(fields[ENDED_SYSTEM])
                yield (int(fields[USER]) + int(fields[SYSTEM]) + ended) / tick


def _stat(folder: Path) -> list[str]:
    try:
        text = (folder / "stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):  # it has just ended
        return []
    return text.rpartition(")")[2].split()


def _machine_seconds() -> float | None:
    try:
        first = (PROC / "stat").read_text(encoding="ascii").splitlines()[0]
    except (FileNotFoundError, PermissionError):
        return None
    ticks = dict(zip(BUSY, map(int, first.split()[1:]), strict=False))
    busy = sum(count for name, count in ticks.items() if name not in IDLE)
    return busy / os.sysconf("SC_CLK_TCK")
