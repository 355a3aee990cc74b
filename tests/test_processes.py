"""Children end with the command that started them, however that ends."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import pytest

from inventory.processes import ChildEnded, Manner, ProcessError, Supervisor, free_port

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="waits with Linux's pidfd")
WAIT_SECONDS = 20
# A command with a child that has a child of its own, which ignores SIGTERM. It prints every pid.
COMMAND = """
import pathlib, sys
from inventory.processes import Supervisor
script = 'trap "" TERM; sleep 60 & trap - TERM; echo $$ $!; wait'
with Supervisor(pathlib.Path(sys.argv[1]), guard_seconds=0.5) as supervisor:
    child = supervisor.start("shell", ["/bin/sh", "-c", script])
    supervisor.wait_until(child.tail, what="the children's numbers")
    print(child.tail(), supervisor._guardian.pid, flush=True)
    supervisor.watch()
"""


def wait_for_end(handles: list[int]) -> None:
    """Returns when every process behind these pidfds has ended."""
    for handle in handles:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        assert poll.poll(WAIT_SECONDS * 1000), "a process is still there"
        os.close(handle)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_no_process_outlives_the_command(number: signal.Signals, tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", COMMAND, str(tmp_path)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as command:
        assert command.stdout is not None
        pids = [int(pid) for pid in command.stdout.readline().split()]
        handles = [os.pidfd_open(pid) for pid in [command.pid, *pids]]

        command.send_signal(number)
        command.communicate()

    assert len(pids) == 3
    wait_for_end(handles)


@pytest.mark.parametrize(
    ("number", "ends"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)
def test_a_signal_that_python_dropped_ends_the_command_all_the_same(
    number: signal.Signals,
    ends: type[BaseException],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Thing:
        """Something that a weak reference may name."""

    dropped: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda found: dropped.append(found.exc_type))
    with Supervisor(tmp_path) as supervisor:
        thing = Thing()
        watched = weakref.ref(thing, lambda _: signal.raise_signal(number))
        del thing
        assert (dropped, watched()) == ([ends], None)
        with pytest.raises(ends):
            supervisor.wait_until(lambda: False, what="nothing")


def test_work_stops_before_services_and_the_newest_first(tmp_path: Path) -> None:
    script = 'trap "echo $0 >> order; exit" TERM; echo ready; while :; do sleep 0.01; done'
    with Supervisor(tmp_path) as supervisor:
        for name, tier in (("database", 0), ("api", 1), ("worker", 1)):
            argv = ["/bin/sh", "-c", script, name]
            child = supervisor.start(name, argv, cwd=tmp_path, manner=Manner(tier=tier))
            supervisor.wait_until(child.tail, what="the trap")

    stopped = (tmp_path / "order").read_text().split()
    assert (set(stopped[:2]), stopped[2]) == ({"api", "worker"}, "database")


def test_a_child_that_does_not_end_in_time_is_killed(tmp_path: Path) -> None:
    with Supervisor(tmp_path) as supervisor:
        script = 'trap "" TERM; echo ready; sleep 60'
        manner = Manner(stop_seconds=0.1)
        child = supervisor.start("deaf", ["/bin/sh", "-c", script], manner=manner)
        supervisor.wait_until(child.tail, what="the trap")

    assert child.process.returncode == -signal.SIGKILL


def test_a_child_that_ends_by_itself_is_reported_with_its_last_words(tmp_path: Path) -> None:
    with Supervisor(tmp_path) as supervisor:
        supervisor.start("brief", ["/bin/sh", "-c", "echo no such table >&2; exit 3"])

        with pytest.raises(ChildEnded, match=r"(?s)brief ended by itself with 3.*no such table"):
            supervisor.watch()

        assert supervisor.children == []


def test_what_a_dead_child_has_started_goes_with_it(tmp_path: Path) -> None:
    with Supervisor(tmp_path) as supervisor:
        child = supervisor.start("parent", ["/bin/sh", "-c", "sleep 60 & echo $!; exit 1"])
        supervisor.wait_until(child.tail, what="the grandchild's number")
        handle = os.pidfd_open(int(child.tail()))

        with pytest.raises(ChildEnded):
            supervisor.watch()

        wait_for_end([handle])


def test_one_child_can_be_stopped_alone(tmp_path: Path) -> None:
    with Supervisor(tmp_path) as supervisor:
        stays = supervisor.start("stays", ["/bin/sleep", "60"])
        goes = supervisor.start("goes", ["/bin/sleep", "60"])

        supervisor.stop("goes")

        assert goes.process.returncode == -signal.SIGTERM
        assert supervisor.children == [stays]


def test_waiting_too_long_is_an_error(tmp_path: Path) -> None:
    with (
        Supervisor(tmp_path) as supervisor,
        pytest.raises(ProcessError, match="spring did not happen within 0 s"),
    ):
        supervisor.wait_until(lambda: False, what="spring", seconds=0.1)


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with Supervisor(tmp_path) as supervisor:
        supervisor.start("nothing", ["/nowhere/program"])

        with pytest.raises(ChildEnded, match="/nowhere/program cannot be started: No such file"):
            supervisor.watch()


def test_children_are_started_from_the_main_thread_only(tmp_path: Path) -> None:
    refusals: list[str] = []

    def start() -> None:
        try:
            supervisor.start("sleep", ["/bin/sleep", "60"])
        except RuntimeError as error:
            refusals.append(str(error))

    with Supervisor(tmp_path) as supervisor:
        thread = threading.Thread(target=start)
        thread.start()
        thread.join()
        assert supervisor.children == []

    assert refusals == ["children are started from the main thread"]


def test_a_free_port_can_be_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
