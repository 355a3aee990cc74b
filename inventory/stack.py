"""The whole house on one machine: database, Valkey, API, workers and beat as child processes."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx
from msgspec import Struct

from inventory import config, schema
from inventory.embedded import Server, start_postgres, start_valkey
from inventory.processes import Manner, ProcessError, Supervisor, free_port

READY_SECONDS = 60
QUEUES = ("intake", "publish")
KEY_FILE = "secret-key"
SECRET_LENGTH = 48
# Work that has begun may end; the database goes last.
WORKER = Manner(stop_seconds=20.0)


class House(Struct, frozen=True, kw_only=True):
    """A running house: where it is served, and the environment that its commands need."""

    api_url: str
    environment: dict[str, str]
    started_seconds: float

    def __repr__(self) -> str:
        """Without the environment, which holds secrets."""
        return f"House({self.api_url})"


def start(
    supervisor: Supervisor,
    data_dir: Path,
    *,
    port: int | None = None,
    extra: Mapping[str, str] | None = None,
) -> House:
    """Start everything and wait until the API is ready.

    Embedded servers are used for whatever `DATABASE_URL` and `REDIS_URL` do not name. Raises
    `SettingWrong`, and `ProcessError` when the port or the data folder is taken.
    """
    began = time.monotonic()
    _check(port)
    data_dir.mkdir(parents=True, exist_ok=True)
    environment = _environment(supervisor, data_dir) | dict(extra or {})
    asyncio.run(schema.migrate(environment["DATABASE_URL"]))
    host = environment.get("HIKIATE_API_HOST", "127.0.0.1")
    port = port or free_port()
    api_url = f"http://{host}:{port}"
    api = ("api", "--host", host, "--port", str(port))
    supervisor.start("api", _command(*api), env=environment)
    for queue in QUEUES:
        arguments = _command("worker", "--queue", queue)
        supervisor.start(f"worker-{queue}", arguments, env=environment, manner=WORKER)
    supervisor.start("beat", _command("beat"), env=environment)
    supervisor.wait_until(
        lambda: _answers(api_url + "/health/live"), what="the API", seconds=READY_SECONDS
    )
    return House(api_url=api_url, environment=environment, started_seconds=time.monotonic() - began)


def _check(port: int | None) -> None:
    """Find what cannot work before anything is started."""
    stand_in = {
        "DATABASE_URL": "postgresql://embedded",
        "REDIS_URL": "redis://embedded",
        "HIKIATE_SECRET_KEY": "-" * SECRET_LENGTH,
    }
    set_here = {name: value for name, value in os.environ.items() if value}
    settings = config.load(stand_in | set_here)
    if port is not None:
        must_be_free(settings.api_host, port)


def must_be_free(host: str, port: int) -> None:
    """Raise `ProcessError` where nobody may listen; port 0 is a free one."""
    try:
        with socket.create_server((host, port)):
            pass
    except OSError as error:
        # Python adds to strerror what we say ourselves.
        why = os.strerror(error.errno) if error.errno else str(error)
        raise ProcessError(f"port {port} cannot be used: {why}; try --port") from error


def _own(server: Server) -> str:
    if not server.started:
        raise ProcessError("another house runs on this data folder; stop it, or use --data-dir")
    return server.url


def _environment(supervisor: Supervisor, data_dir: Path) -> dict[str, str]:
    environment = dict(os.environ)
    environment["HIKIATE_DATA_DIR"] = str(data_dir)
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(Path(__file__).resolve().parent.parent), environment.get("PYTHONPATH", "")]
    ).rstrip(os.pathsep)
    if not environment.get("DATABASE_URL"):
        environment["DATABASE_URL"] = _own(start_postgres(data_dir, supervisor))
    if not environment.get("REDIS_URL"):
        environment["REDIS_URL"] = _own(start_valkey(data_dir, supervisor))
    environment.setdefault("HIKIATE_SECRET_KEY", _secret_key(data_dir))
    return environment


def _secret_key(data_dir: Path) -> str:
    """The key that seals credentials, made at the first start and kept beside the database."""
    path = data_dir / KEY_FILE
    if path.exists():
        return path.read_text().strip()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    key = secrets.token_urlsafe(48)
    with os.fdopen(descriptor, "w") as file:
        file.write(key)
    return key


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "inventory", *arguments]


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def start_sandbox(supervisor: Supervisor, *, seed: int) -> str:
    """Start the marketplaces of the sandbox; their address."""
    port = free_port()
    supervisor.start(
        "sandbox",
        [
            *(sys.executable, "-m", "channels.sandbox", "--host", "127.0.0.1"),
            *("--port", str(port), "--seed", str(seed)),
        ],
        env=dict(os.environ) | {"PYTHONPATH": str(Path(__file__).resolve().parent.parent)},
    )
    url = f"http://127.0.0.1:{port}"
    supervisor.wait_until(
        lambda: _answers(url + "/_sandbox/credentials"), what="the sandbox", seconds=READY_SECONDS
    )
    return url


__all__ = ["House", "ProcessError", "start", "start_sandbox"]
