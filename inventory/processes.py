"""Child processes of one command: started, watched, and never left behind.

Every child leads a process group of its own and knows its parent. They end together: in order when
the command ends, and by the kernel and a guardian process when it is killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, NoReturn, Self

from msgspec import Struct

from inventory import child

HELPER = (sys.executable, "-I", "-S", child.__file__)
POLL_SECONDS = 0.02
WATCH_SECONDS = 0.5
LEAVE_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
TAIL_LINES = 20
TAIL_BYTES = 64 * 1024
# Services such as the database stop last, after everything that uses them.
SERVICE, WORK = 0, 1


class ProcessError(Exception):
    """A child did not do what it should; the text carries the end of its log."""


class ChildEnded(ProcessError):
    """A child ended although nobody had asked it to."""


class Manner(Struct, frozen=True, kw_only=True):
    """How a child lives and ends.

    It has `stop_seconds` to end after `stop_signal`; lower tiers end later. `identity` may be
    "mapped" or "nobody" (see `inventory.child`); `keep_open` are file descriptors it inherits.
    """

    stop_signal: int = signal.SIGTERM
    stop_seconds: float = 15.0
    tier: int = WORK
    identity: str = "same"
    keep_open: tuple[int, ...] = ()


DEFAULT_MANNER = Manner()


class Child:
    """One running program and its log."""

    def __init__(
        self,
        name: str,
        process: subprocess.Popen[bytes],
        log: Path,
        manner: Manner,
        *,
        log_from: int = 0,
    ) -> None:
        self.name = name
        self.process = process
        self.log = log
        self.manner = manner
        # What an earlier run has left in the file is not this child's.
        self._log_from = log_from

    @property
    def pid(self) -> int:
        """Its process id, which is also its group's."""
        return self.process.pid

    def tail(self, lines: int = TAIL_LINES) -> str:
        """The last lines of its log."""
        with self.log.open("rb") as file:
            file.seek(max(self._log_from, file.seek(0, os.SEEK_END) - TAIL_BYTES))
            text = file.read().decode(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def has_ended(self) -> bool:
        """Whether it has ended. It stays a zombie, so that its number cannot be taken by others."""
        if self.process.returncode is not None:
            return True
        if sys.platform == "darwin":
            return self.process.poll() is not None
        ended = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.pid, ended) is not None

    def signal(self, number: int) -> None:
        """Send a signal to the program, if it is still there."""
        if not self.has_ended():
            self.process.send_signal(number)

    def sweep(self) -> int:
        """Kill what is left of its group, then let the system forget it; gives the exit code."""
        if self.process.returncode is None or sys.platform == "darwin":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        return self.process.wait()


class Supervisor:
    """Starts children and ends them all when its `with` block ends, by whatever way.

    Logs go to `logs`, one file per child, appended. Inside the block SIGTERM and SIGHUP end this
    process as Ctrl-C would; a second signal while stopping kills the children at once. When this
    process is killed, they have `guard_seconds` to end.

    Python drops what a signal raises in a weak reference's callback or the like. So it is kept, and
    raised once more by the next `check`.
    """

    def __init__(self, logs: Path, *, guard_seconds: float = 10) -> None:
        self.logs = logs
        self.guard_seconds = guard_seconds
        self.children: list[Child] = []
        self._guardian: subprocess.Popen[bytes] | None = None
        self._handlers: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}
        self._leaving: BaseException | None = None

    def __enter__(self) -> Self:
        """Begin to guard."""
        _only_in_main_thread()
        self.logs.mkdir(parents=True, exist_ok=True)
        self._guardian = subprocess.Popen(
            [*HELPER, "guard", "--seconds", str(self.guard_seconds)],
            bufsize=0,
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        # SIGINT also where a script's background job had it ignored.
        for number in LEAVE_SIGNALS:
            self._handlers[number] = signal.signal(number, self._leave)
        return self

    def _leave(self, number: int, _frame: FrameType | None) -> None:
        interrupted = number == signal.SIGINT
        self._leaving = KeyboardInterrupt() if interrupted else SystemExit(128 + number)
        raise self._leaving

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop every child, then the guardian."""
        try:
            self.stop()
        finally:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)
            if self._guardian is not None:
                self._pipe().close()
                self._guardian.wait()

    def start(
        self,
        name: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        manner: Manner = DEFAULT_MANNER,
    ) -> Child:
        """Start a program by its full path, from the main thread, inside the `with` block."""
        _only_in_main_thread()
        helper = [*HELPER, "run", "--parent", str(os.getpid()), "--identity", manner.identity]
        log = self.logs / f"{name}.log"
        with log.open("ab") as output:
            log_from = output.seek(0, os.SEEK_END)
            process = subprocess.Popen(
                [*helper, "--stop-signal", str(int(manner.stop_signal)), *argv],
                env=env,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=manner.keep_open,
            )
        started = Child(name, process, log, manner, log_from=log_from)
        self.children.append(started)
        self._pipe().write(f"+{process.pid} {int(manner.stop_signal)}\n".encode())
        return started

    def check(self) -> None:
        """Raises `ChildEnded` if a child has ended by itself; call it every now and then.

        Where a signal was to end this process and did not, it does now.
        """
        if self._leaving is not None:
            raise self._leaving
        for running in self.children:
            if running.has_ended():
                code = self._forget(running)
                raise ChildEnded(
                    f"{running.name} ended by itself with {code}; the end of {running.log}:\n"
                    f"{running.tail()}"
                )

    def wait_until(self, is_ready: Callable[[], object], *, what: str, seconds: float = 15) -> None:
        """Wait for a condition while watching the children; raises `ProcessError` when too late."""
        deadline = time.monotonic() + seconds
        while not is_ready():
            self.check()
            if time.monotonic() > deadline:
                raise ProcessError(f"{what} did not happen within {seconds:.0f} s")
            time.sleep(POLL_SECONDS)

    def watch(self) -> NoReturn:
        """Stay until a signal ends this process, or raise `ChildEnded`."""
        while True:
            self.check()
            time.sleep(WATCH_SECONDS)

    def stop(self, *names: str) -> None:
        """Stop the named children, or all: work before services, the newest first.

        A child that outstays its time is killed, and with it what it has started.
        """
        chosen = [one for one in reversed(self.children) if not names or one.name in names]
        try:
            for tier in sorted({one.manner.tier for one in chosen}, reverse=True):
                self._end([one for one in chosen if one.manner.tier == tier])
        finally:
            # Also after a second Ctrl-C: nothing stays.
            for one in chosen:
                if one in self.children:
                    self._forget(one)

    def _end(self, children: Sequence[Child]) -> None:
        for one in children:
            one.signal(one.manner.stop_signal)
        began = time.monotonic()
        for one in children:
            while not one.has_ended() and time.monotonic() - began < one.manner.stop_seconds:
                time.sleep(POLL_SECONDS)
            self._forget(one)

    def _forget(self, ended: Child) -> int:
        code = ended.sweep()
        self.children.remove(ended)
        # A guardian that somebody has killed is no reason to leave other children running.
        with contextlib.suppress(BrokenPipeError):
            self._pipe().write(f"-{ended.pid}\n".encode())
        return code

    def _pipe(self) -> IO[bytes]:
        if self._guardian is None or self._guardian.stdin is None:
            raise RuntimeError("a supervisor starts children only inside its `with` block")
        return self._guardian.stdin


def _only_in_main_thread() -> None:
    # The kernel stops a child when the thread that started it ends.
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("children are started from the main thread")


def free_port() -> int:
    """A TCP port of 127.0.0.1 that is free now; another program may take it a moment later."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
