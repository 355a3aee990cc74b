"""What a bench ran on: processors, versions, the disk, and whether every commit reached it."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

import asyncpg
from msgspec import Struct

from inventory.errors import WrongState

DURABLE = ("fsync", "synchronous_commit", "full_page_writes")
IN_MEMORY = frozenset({"tmpfs", "ramfs"})
WARNING = (
    "the data lies on {}, in memory: commits cost nothing there, and the figures say little about"
    " a disk; set TMPDIR to a folder on a disk"
)
SYNC_SECONDS = 0.3
SYNC_BYTES = 8_192


class Machine(Struct, frozen=True, kw_only=True):
    """One machine at the start of a run. `syncs_per_second`: 8 kB written and synced, in turn."""

    processors: int
    processor: str
    memory_gib: float | None
    system: str
    python: str
    postgresql: str
    settings: dict[str, str]
    file_system: str
    syncs_per_second: int
    load_average: float
    warnings: tuple[str, ...]


async def describe(url: str, folder: Path) -> Machine:
    """What the server at `url` keeps in `folder`, and on what.

    Raises `WrongState` where one of the settings that make a commit durable is off.
    """
    connection = await asyncpg.connect(url)
    try:
        settings = {
            name: await connection.fetchval("SELECT current_setting($1)", name)
            for name in (*DURABLE, "shared_buffers", "max_wal_size")
        }
        version = await connection.fetchval("SELECT current_setting('server_version')")
    finally:
        await connection.close()
    wrong = [name for name in DURABLE if settings[name] != "on"]
    if wrong:
        raise WrongState(f"a bench without {', '.join(wrong)} measures nothing")
    file_system = file_system_of(folder)
    return Machine(
        processors=len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1,
        processor=_processor(),
        memory_gib=_memory_gib(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        postgresql=version,
        settings=settings,
        file_system=file_system,
        syncs_per_second=_syncs_per_second(folder),
        load_average=round(os.getloadavg()[0], 2),
        warnings=warnings_of(file_system),
    )


def warnings_of(file_system: str) -> tuple[str, ...]:
    """What the file system makes doubtful."""
    if file_system not in IN_MEMORY:
        return ()
    return (WARNING.format(file_system),)


def file_system_of(folder: Path) -> str:
    """The type of the file system that a folder lies on, such as ext4; "unknown" without /proc."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return "unknown"
    found = {}
    for line in mounts.splitlines():
        _, point, kind, *_ = line.split(" ")
        found[Path(point.encode().decode("unicode_escape"))] = kind
    resolved = folder.resolve()
    return next((found[one] for one in (resolved, *resolved.parents) if one in found), "unknown")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory_gib() -> float | None:
    try:
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None
    return round(pages / 2**30, 1)


def _syncs_per_second(folder: Path) -> int:
    sync = getattr(os, "fdatasync", os.fsync)
    path = folder / "sync"
    page = os.urandom(SYNC_BYTES)
    count, began = 0, time.perf_counter()
    with path.open("wb", buffering=0) as file:
        while time.perf_counter() - began < SYNC_SECONDS:
            file.seek(0)
            file.write(page)
            sync(file.fileno())
            count += 1
    path.unlink()
    return round(count / SYNC_SECONDS)
