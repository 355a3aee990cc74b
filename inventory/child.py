"""Runs as its own small process beside a supervisor, so that nothing is left when that is killed.

`child.py run` becomes another program, which the kernel then stops together with its parent;
`child.py guard` outlives the supervisor and ends what is still there. Started by path with
`python -I -S`, it imports the standard library alone and is quick.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import glob
import os
import signal
import sys
import time

NOBODY = 65534
CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
POLL_SECONDS = 0.05


def _map_to_nobody() -> None:
    """Move into a user namespace in which we are `nobody`; files stay those of our real user."""
    user, group = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER):
        raise OSError(ctypes.get_errno(), "user namespaces are not permitted")
    for file, text in (
        ("setgroups", "deny"),
        ("gid_map", f"{NOBODY} {group} 1"),
        ("uid_map", f"{NOBODY} {user} 1"),
    ):
        with open(f"/proc/self/{file}", "w", encoding="ascii") as kernel:
            kernel.write(text)


def _become_nobody() -> None:
    """Give up root for good."""
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


IDENTITIES = {"same": lambda: None, "mapped": _map_to_nobody, "nobody": _become_nobody}


def run(*, parent: int, stop_signal: int, identity: str, argv: list[str]) -> None:
    """Become the program `argv`; it gets `stop_signal` when `parent` ends, however that ends."""
    IDENTITIES[identity]()
    if sys.platform == "linux":
        # Only now: the kernel forgets this wish when a process changes its user.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, stop_signal)
    if os.getppid() != parent:
        sys.exit("the supervisor ended before its child had started")
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        # Python ignores these two, and the next program would inherit that.
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execv(argv[0], argv)
    except OSError as error:
        sys.exit(f"{argv[0]} cannot be started: {error.strerror}")


def _signal(group: int, number: int) -> bool:
    """Send a signal to every process of a group; False if the group is gone."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _is_running(group: int) -> bool:
    """Whether a group has a process that has not ended; not every system buries its dead soon."""
    if not _signal(group, 0):
        return False
    if sys.platform != "linux":
        return True
    for status in glob.iglob("/proc/[0-9]*/stat"):
        with contextlib.suppress(OSError), open(status, "rb") as file:
            state, _parent, its_group = file.read().rpartition(b")")[2].split()[:3]
            if int(its_group) == group and state not in b"ZX":
                return True
    return False


def guard(*, seconds: float) -> None:
    """Read "+group signal" and "-group" lines until the supervisor ends; then end those left.

    They get their stop signal, newest first, and `seconds` later SIGKILL.
    """
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    groups: dict[int, int] = {}
    for line in sys.stdin:
        if line.startswith("+"):
            group, number = map(int, line[1:].split())
            groups[group] = number
        else:
            groups.pop(int(line[1:]), None)
    for group in reversed(groups):
        _signal(group, groups[group])
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and any(_is_running(group) for group in groups):
        time.sleep(POLL_SECONDS)
    for group in groups:
        _signal(group, signal.SIGKILL)


def main() -> None:
    """Parse the arguments that `inventory.processes` gives."""
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("guard").add_argument("--seconds", type=float, required=True)
    runner = commands.add_parser("run")
    runner.add_argument("--parent", type=int, required=True)
    runner.add_argument("--stop-signal", type=int, required=True)
    runner.add_argument("--identity", choices=IDENTITIES, default="same")
    runner.add_argument("argv", nargs=argparse.REMAINDER)
    chosen = parser.parse_args()
    if chosen.command == "guard":
        guard(seconds=chosen.seconds)
        return
    run(
        parent=chosen.parent,
        stop_signal=chosen.stop_signal,
        identity=chosen.identity,
        argv=chosen.argv,
    )


if __name__ == "__main__":
    main()
