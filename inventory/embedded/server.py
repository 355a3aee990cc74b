"""What both servers share: one per folder, a password of its own, a port that is free.

A server inherits the lock on its folder, so the lock is held exactly as long as it runs, and what
a killed run has left in the folder misleads nobody.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import time
from abc import ABC, abstractmethod
from pathlib import Path

from msgspec import Struct

from inventory.processes import Child, ChildEnded, ProcessError, Supervisor, free_port

HOST = "127.0.0.1"
# Long enough for a large database to recover from a crash.
START_SECONDS = 300
PORT_ATTEMPTS = 5
POLL_SECONDS = 0.05


class Server(Struct, frozen=True, kw_only=True):
    """One running server. `started` says that this command started it and will stop it."""

    name: str
    url: str
    pid: int
    port: int
    started: bool
    supervisor: Supervisor

    def __repr__(self) -> str:
        """Without the address, which holds the password."""
        return f"Server({self.name}, pid={self.pid}, port={self.port}, started={self.started})"

    def stop(self) -> None:
        """Stop it now, unless another command had started it. May be called twice."""
        if self.started:
            self.supervisor.stop(self.name)


class Starter(ABC):
    """How one sort of server is found, prepared and launched in `folder`."""

    name: str

    def __init__(self, folder: Path, supervisor: Supervisor) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder = folder
        self.supervisor = supervisor

    @abstractmethod
    def url(self, port: int) -> str:
        """The address of the server on `port`, with its password."""

    @abstractmethod
    def running(self) -> tuple[int, int] | None:
        """Process id and port of the server that answers for this folder, if one does."""

    @abstractmethod
    def prepare(self) -> None:
        """Make the folder ready for a start; nobody else is at it."""

    @abstractmethod
    def launch(self, port: int, *, lock: int) -> Child:
        """Start the server; it must inherit the file descriptor `lock`."""

    def start(self) -> Server:
        """Start the server, or use the one that another command has started in this folder.

        Raises `ProcessError` with the end of its log when it does not come up.
        """
        deadline = time.monotonic() + START_SECONDS
        with (self.folder / "lock").open("a", encoding="ascii") as lock:
            while time.monotonic() < deadline:
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    self.prepare()
                    return self._launch(lock.fileno())
                running = self.running()
                if running:
                    return self._server(*running, started=False)
                time.sleep(POLL_SECONDS)
        raise ProcessError(f"{self.folder} belongs to a server that does not answer")

    def _launch(self, lock: int) -> Server:
        # Between our choice and the server's start another program may take the port.
        attempts = PORT_ATTEMPTS
        while True:
            attempts -= 1
            child = self.launch(free_port(), lock=lock)
            try:
                return self._when_ready(child)
            except ChildEnded as ended:
                if not attempts or "Address already in use" not in str(ended):
                    raise

    def _when_ready(self, child: Child) -> Server:
        def is_ready() -> bool:
            running = self.running()
            return running is not None and running[0] == child.pid

        self.supervisor.wait_until(
            is_ready, what=f"the start of {self.name}", seconds=START_SECONDS
        )
        running = self.running()
        if running is None:
            raise ProcessError(f"{self.name} ended right after its start")
        return self._server(*running, started=True)

    def _server(self, pid: int, port: int, *, started: bool) -> Server:
        return Server(
            name=self.name,
            url=self.url(port),
            pid=pid,
            port=port,
            started=started,
            supervisor=self.supervisor,
        )


def read_password(folder: Path) -> str:
    """The server's password, as `make_password` has written it."""
    return (folder / "password").read_text(encoding="ascii")


def make_password(folder: Path) -> str:
    """The server's password; the first time a new one, 192 bits long."""
    with contextlib.suppress(FileNotFoundError):
        return read_password(folder)
    return write_private(folder / "password", secrets.token_urlsafe(24))


def write_private(path: Path, text: str) -> str:
    """Write a file that its owner alone may read, whole or not at all; gives the text back."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    return text
