"""What a bench ran on; and that it refuses a server that does not wait for the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from inventory.bench import machine
from inventory.errors import WrongState


async def test_a_server_that_is_not_durable_is_refused(postgres: str, tmp_path: Path) -> None:
    with pytest.raises(WrongState, match="fsync, synchronous_commit, full_page_writes"):
        await machine.describe(postgres, tmp_path)


def test_the_file_system_of_a_folder_is_that_of_its_mount(tmp_path: Path) -> None:
    if not Path("/proc/self/mounts").exists():
        pytest.skip("this system has no /proc")

    assert machine.file_system_of(Path("/proc/self")) == "proc"
    assert machine.file_system_of(tmp_path) not in {"proc", "unknown"}


def test_a_disk_in_memory_is_warned_of() -> None:
    assert machine.warnings_of("ext4") == ()
    [warning] = machine.warnings_of("tmpfs")
    assert warning.startswith("the data lies on tmpfs, in memory")
