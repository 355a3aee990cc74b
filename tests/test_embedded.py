"""The embedded PostgreSQL and Valkey: durable, private, and not confused by a killed run."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
import redis

from inventory.embedded import create_database, drop_database, start_postgres, start_valkey
from inventory.embedded.postgres import _PostgresStarter
from inventory.processes import ProcessError, Supervisor, free_port

# A command that starts both servers, says where, and stays.
COMMAND = """
import pathlib, sys
from inventory.embedded import start_postgres, start_valkey
from inventory.processes import Supervisor
state = pathlib.Path(sys.argv[1])
with Supervisor(state) as supervisor:
    for server in (start_postgres(state, supervisor), start_valkey(state, supervisor)):
        print(server.url, server.pid, flush=True)
    supervisor.watch()
"""


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    """Stops whatever a test has started."""
    with Supervisor(tmp_path / "logs") as supervisor:
        yield supervisor


async def ask(url: str, *statements: str) -> object:
    """The first value of the last statement's answer."""
    connection = await asyncpg.connect(url)
    try:
        for statement in statements[:-1]:
            await connection.execute(statement)
        return await connection.fetchval(statements[-1])
    finally:
        await connection.close()


def valkey_at(url: str) -> redis.Redis:
    """A client that answers with texts."""
    return redis.Redis.from_url(url, decode_responses=True)


async def test_the_second_command_uses_the_servers_of_the_first(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    first = (start_postgres(tmp_path, supervisor), start_valkey(tmp_path, supervisor))

    with Supervisor(tmp_path / "logs") as other:
        second = (start_postgres(tmp_path, other), start_valkey(tmp_path, other))
        assert [(one.url, one.pid, one.started) for one in second] == [
            (one.url, one.pid, False) for one in first
        ]
        second[0].stop()

    assert await ask(first[0].url, "SELECT current_database()") == "hikiate"
    with valkey_at(first[1].url) as client:
        assert client.ping()


def is_running(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_what_was_committed_survives_a_kill_of_everything(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    arguments = [sys.executable, "-c", COMMAND, str(tmp_path)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as command:
        assert command.stdout is not None
        url, postmaster = command.stdout.readline().split()
        valkey_url, valkey = command.stdout.readline().split()
        await ask(url, "CREATE TABLE mug (n int)", "INSERT INTO mug VALUES (3) RETURNING n")
        with valkey_at(valkey_url) as client:
            client.config_set("appendfsync", "always")
            client.set("mug", 3)
        for pid in (command.pid, int(postmaster), int(valkey)):
            os.kill(pid, signal.SIGKILL)
    # A process that is killed is not gone at once; until then it is a running server.
    supervisor.wait_until(
        lambda: not any(map(is_running, (int(postmaster), int(valkey)))), what="their end"
    )

    server = start_postgres(tmp_path, supervisor)
    cache = start_valkey(tmp_path, supervisor)

    assert (server.started, cache.started) == (True, True)
    assert await ask(server.url, "SELECT n FROM mug") == 3
    with valkey_at(cache.url) as client:
        assert client.get("mug") == "3"


async def test_a_killed_server_that_nobody_asked_after_is_not_a_running_one(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    server = start_postgres(tmp_path, supervisor)
    server.stop()
    found = _PostgresStarter(tmp_path / "postgres", supervisor, {})
    # What is left of a process until its parent asks how it ended.
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        supervisor.wait_until(lambda: not is_running(ended.pid), what="its end")
        for pid, running in ((ended.pid, None), (os.getpid(), (os.getpid(), server.port))):
            lines = [str(pid), "data", "0", str(server.port), "", "127.0.0.1", "", "ready"]
            (tmp_path / "postgres/data/postmaster.pid").write_text("\n".join(lines))
            assert found.running() == running


async def test_nothing_acknowledged_may_be_lost_or_evicted(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    server = start_postgres(tmp_path, supervisor)
    cache = start_valkey(tmp_path, supervisor)

    for setting in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
        assert await ask(server.url, f"SHOW {setting}") == "on"
    assert await ask(server.url, "SHOW max_connections") == "200"
    with valkey_at(cache.url) as client:
        assert client.config_get("append*")["appendonly"] == "yes"
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


async def test_nobody_gets_in_without_the_password(supervisor: Supervisor, tmp_path: Path) -> None:
    server = start_postgres(tmp_path, supervisor)
    cache = start_valkey(tmp_path, supervisor)

    for one in (server, cache):
        password = (tmp_path / one.name / "password").read_text()
        assert password in one.url
        assert password not in repr(one)
        assert stat.S_IMODE((tmp_path / one.name).stat().st_mode) == 0o700
        command_line = Path(f"/proc/{one.pid}/cmdline")
        assert not command_line.exists() or password not in command_line.read_text()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await ask(f"postgresql://hikiate:wrong@127.0.0.1:{server.port}/hikiate", "SELECT 1")
    with (
        redis.Redis(port=cache.port, password="wrong") as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.ping()


async def test_a_port_taken_in_the_last_moment_is_no_failure(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = start_valkey(tmp_path, supervisor)
    taken = iter([cache.port, cache.port])
    monkeypatch.setattr(
        "inventory.embedded.server.free_port", lambda: next(taken, None) or free_port()
    )

    server = start_postgres(tmp_path, supervisor)

    assert server.port != cache.port
    assert await ask(server.url, "SELECT 1") == 1


async def test_a_folder_with_a_long_name_and_a_half_made_cluster(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    state = tmp_path / ("long name " * 12)
    (state / "postgres/data.new/base").mkdir(parents=True)

    server = start_postgres(state, supervisor, settings={"work_mem": "9MB"})

    assert await ask(server.url, "SHOW work_mem") == "9MB"


async def test_a_database_is_copied_from_a_template_and_dropped(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    server = start_postgres(tmp_path, supervisor)
    await ask(server.url, "CREATE TABLE mug (n int)", "INSERT INTO mug VALUES (3) RETURNING n")

    copy = await create_database(server.url, 'my "copy"', template="hikiate")

    assert copy != server.url
    assert await ask(server.url, "SELECT count(*) FROM pg_database WHERE datname LIKE 'my%'") == 1
    await drop_database(server.url, 'my "copy"')
    await drop_database(server.url, 'my "copy"')
    assert await ask(server.url, "SELECT count(*) FROM pg_database WHERE datname LIKE 'my%'") == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become the user nobody")
class TestRootWithoutUserNamespaces:
    """Root gives PostgreSQL to the user `nobody`, with a copy of the programs."""

    @pytest.fixture(autouse=True)
    def _no_namespaces(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_PostgresStarter, "_can_be_mapped", lambda _self: False)

    async def test_where_nobody_may_go(self, supervisor: Supervisor) -> None:
        open_to_all = Path(tempfile.mkdtemp())
        open_to_all.chmod(0o755)
        try:
            server = start_postgres(open_to_all, supervisor)
            assert await ask(server.url, "SELECT 1") == 1
            assert Path(f"/proc/{server.pid}").stat().st_uid == 65534
            server.stop()
        finally:
            shutil.rmtree(open_to_all)

    def test_where_nobody_may_not_go(self, supervisor: Supervisor, tmp_path: Path) -> None:
        (tmp_path / "closed").mkdir(mode=0o700)
        with pytest.raises(ProcessError, match="must be able to enter the data folder"):
            start_postgres(tmp_path / "closed", supervisor)
