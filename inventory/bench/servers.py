"""Programs of the house that the bench runs as child processes, and the environment they need."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
from msgspec import Struct

from inventory.processes import Supervisor, free_port

ROOT = Path(__file__).resolve().parents[2]
# Where the null endpoint is, beside the real doors under /v1.
NULL = "/null"
READY_SECONDS = 60


class Served(Struct, frozen=True):
    """One running server: its process and its port."""

    pid: int
    port: int


def environment(database_url: str, redis_url: str, folder: Path) -> dict[str, str]:
    """Of our own settings only these, so that the house is measured as it is by default."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("HIKIATE_")}
    return kept | {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "HIKIATE_SECRET_KEY": secrets.token_urlsafe(48),
        "HIKIATE_DATA_DIR": str(folder),
        "PYTHONPATH": str(ROOT),
    }


def serve(
    supervisor: Supervisor, name: str, module: Sequence[str], env: Mapping[str, str]
) -> Served:
    """Start a module with its arguments and a free port as the last one; it answers by then."""
    port = free_port()
    child = supervisor.start(name, [sys.executable, "-m", *module, str(port)], env=env)
    url = f"http://127.0.0.1:{port}/health/live"
    supervisor.wait_until(lambda: _answers(url), what=f"the start of {name}", seconds=READY_SECONDS)
    return Served(child.pid, port)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
