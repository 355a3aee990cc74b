"""Makes the locked environment in `.venv`; it runs before anything is installed, so stdlib only.

The launcher calls it at every start with the command's arguments. Where the environment is not
right it is made by the first way that works: uv from PATH, uv by pip, uv by a plain download, or
pip alone. Then this process becomes the command.
"""

from __future__ import annotations

import configparser
import contextlib
import ctypes
import fcntl
import hashlib
import html
import io
import os
import platform
import re
import shlex
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
TOOLS = ROOT / ".tools"
HOME = os.environ.get("HOME", "/nonexistent")
LOCK = ROOT / "requirements.lock"
INSTALLER_LOCK = ROOT / "installer.lock"
# Where Python packages live unless the site says otherwise; pip and uv have the same one built in.
DEFAULT_INDEX = "https://pypi.org/simple"
# Raised when what this file puts into the environment changes.
RECIPE = "1"
# The interpreter behind a virtual environment: .venv is remade while its own Python runs this.
PYTHON: str = getattr(sys, "_base_executable", sys.executable)
# Settings that would send an installer's work somewhere else than the new environment.
UNWANTED = "PYTHONDONTWRITEBYTECODE PYTHONHOME PYTHONPATH VIRTUAL_ENV UV_PYTHON"
UNWANTED += " PIP_PREFIX PIP_REQUIRE_VIRTUALENV PIP_TARGET PIP_USER"


class Failed(Exception):
    """One way did not work; the message says why, and the next way is tried."""


def say(text: str) -> None:
    """One line of progress, on standard error so that output for programs stays clean."""
    sys.stderr.write(f"hikiate: {text}\n")
    sys.stderr.flush()


def stamp() -> str:
    """Names the environment that this lock, this Python and this place of the checkout need."""
    version = ".".join(map(str, sys.version_info[:3]))
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    return f"{RECIPE}\n{digest}\n{version}\n{ROOT}\n"


def is_ready() -> bool:
    """Whether `.venv` was finished and nothing it depends on has changed since."""
    try:
        written = (VENV / "hikiate.stamp").read_text(encoding="utf-8")
    except OSError:
        return False
    return written == stamp() and (VENV / "bin" / "python").exists()


@contextlib.contextmanager
def only_one() -> Iterator[int]:
    """Let one command at a time make the environment; yields the lock's file descriptor.

    Installers inherit it, so the lock outlives a killed launcher until they have ended too.
    """
    with (ROOT / ".venv.lock").open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another command is making the environment; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def site_index() -> str | None:
    """The package index of this site, as pip's settings name it; None where they do not."""
    for name in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        if os.environ.get(name):
            return os.environ[name]
    configured = configparser.ConfigParser(interpolation=None, strict=False)
    settings = os.environ.get("XDG_CONFIG_HOME") or f"{HOME}/.config"
    files = ("/etc/pip.conf", f"{HOME}/.pip/pip.conf", f"{settings}/pip/pip.conf")
    try:
        configured.read([*files, os.environ.get("PIP_CONFIG_FILE", "")], encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise Failed(f"pip's settings cannot be read: {error}") from error
    return configured.get("global", "index-url", fallback=None)


def tool_environment() -> dict[str, str]:
    """The environment for pip and uv: this machine's certificates, index and cache, no detours."""
    env = {name: value for name, value in os.environ.items() if name not in UNWANTED.split()}
    paths = ssl.get_default_verify_paths()
    if paths.cafile or (paths.capath and any(Path(paths.capath).iterdir())):
        # uv brings its own list of authorities and misses those that a company has added.
        env.setdefault("UV_SYSTEM_CERTS", "1")
    index = site_index()
    if index and not {"UV_INDEX_URL", "UV_DEFAULT_INDEX"} & env.keys():
        env["UV_DEFAULT_INDEX"] = index
    if "UV_CACHE_DIR" not in env and not os.access(HOME, os.W_OK):
        env["UV_NO_CACHE"] = "1"
    return env


def end_with_launcher() -> None:
    """In a tool's process: ask the kernel to end it when the launcher is killed (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def run(argv: list[str], lock: int) -> None:
    """Run one tool to its end; raises `Failed` with the last lines it printed."""
    try:
        done = subprocess.run(
            argv,
            cwd=ROOT,
            env=tool_environment(),
            pass_fds=(lock,),
            preexec_fn=end_with_launcher,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
    except OSError as error:
        raise Failed(f"{argv[0]} does not run: {error}") from error
    if done.returncode:
        lines = done.stdout.decode(errors="replace").strip().splitlines()
        said = " | ".join(line.strip() for line in lines[-4:])
        raise Failed(f"{Path(argv[0]).name} ended with {done.returncode}: {said}")


def pinned_uv() -> tuple[str, set[str]]:
    """The version of uv to fetch, and the sha256 of each file of it that may be used."""
    text = INSTALLER_LOCK.read_text(encoding="utf-8")
    [version] = re.findall(r"^uv==(\S+)", text, re.MULTILINE)
    return version, set(re.findall(r"--hash=sha256:([0-9a-f]{64})", text))


def unpack_uv(wheel: bytes) -> str:
    """Put the program out of uv's wheel into `.tools`; raises `Failed` on a wrong hash."""
    version, hashes = pinned_uv()
    if hashlib.sha256(wheel).hexdigest() not in hashes:
        raise Failed("the file fetched for uv is not the one in installer.lock")
    TOOLS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=TOOLS) as folder:
        with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
            program = Path(archive.extract(f"uv-{version}.data/scripts/uv", folder))
        program.chmod(0o755)
        return str(program.replace(TOOLS / f"uv-{version}"))


def uv_on_path(_lock: int) -> str:
    """The uv that this machine has, or that an earlier run fetched."""
    fetched = TOOLS / f"uv-{pinned_uv()[0]}"
    found = str(fetched) if fetched.exists() else shutil.which("uv")
    if not found:
        raise Failed("not installed")
    return found


def uv_by_pip(lock: int) -> str:
    """Fetch uv with pip, which knows the site's index and certificates."""
    with tempfile.TemporaryDirectory() as folder:
        python = PYTHON
        try:
            run([python, "-m", "pip", "--version"], lock)
        except Failed:
            run([python, "-m", "venv", f"{folder}/venv"], lock)
            python = f"{folder}/venv/bin/python"
        options = ["--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes"]
        target = ["--dest", folder, "--requirement", str(INSTALLER_LOCK)]
        run([python, "-m", "pip", "download", *options, *target], lock)
        [wheel] = Path(folder).glob("uv-*.whl")
        return unpack_uv(wheel.read_bytes())


def wheel_ending() -> re.Pattern[str]:
    """How the name of uv's wheel for this machine ends."""
    machine = re.escape(platform.machine())
    if sys.platform == "darwin":
        return re.compile(rf"-macosx_\w+_{machine}\.whl$")
    flavour = "manylinux" if platform.libc_ver()[0] == "glibc" else "musllinux"
    return re.compile(rf"-{flavour}\w*_{machine}(\.{flavour}\w*)*\.whl$")


def download(address: str) -> bytes:
    """Read one page or file of the index; raises `Failed`."""
    authorities = ssl.create_default_context(cafile=os.environ.get("PIP_CERT"))
    request = urllib.request.Request(address, headers={"Accept": "text/html, */*;q=0.1"})
    try:
        with urllib.request.urlopen(request, timeout=60, context=authorities) as answer:
            body: bytes = answer.read(200_000_000)
    except (OSError, ValueError) as error:
        host = urllib.parse.urlsplit(address).hostname
        raise Failed(f"{host} cannot be read: {error}") from error
    return body


def uv_by_download(_lock: int) -> str:
    """Fetch uv from the index's page with nothing but the standard library."""
    page = f"{(site_index() or DEFAULT_INDEX).rstrip('/')}/uv/"
    version, ending = f"uv-{pinned_uv()[0]}-", wheel_ending()
    for link in re.findall(r"<a\s[^>]*?href=[\"']([^\"']+)", download(page).decode()):
        address = urllib.parse.urldefrag(urllib.parse.urljoin(page, html.unescape(link))).url
        name = urllib.parse.unquote(address.rpartition("/")[2])
        if name.startswith(version) and ending.search(name):
            return unpack_uv(download(address))
    raise Failed(f"the index has no uv for {sys.platform} on {platform.machine()}")


def install_with_uv(uv: str, lock: int) -> None:
    """Make `.venv` and fill it exactly as the lock says."""
    run([uv, "venv", "--quiet", "--no-project", "--python", PYTHON, str(VENV)], lock)
    options = ["--quiet", "--require-hashes", "--compile-bytecode"]
    python = ["--python", str(VENV / "bin" / "python")]
    run([uv, "pip", "sync", *options, *python, str(LOCK)], lock)


def install_with_pip(lock: int) -> None:
    """The same without uv; three times slower."""
    run([PYTHON, "-m", "venv", str(VENV)], lock)
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
    python = str(VENV / "bin" / "python")
    run([python, "-m", "pip", "install", *options, "--requirement", str(LOCK)], lock)


def finish() -> None:
    """Make the checkout's packages importable, add the `hikiate` command, and stamp."""
    [packages] = VENV.glob("lib/python3*/site-packages")
    (packages / "hikiate.pth").write_text(f"{ROOT}\n", encoding="utf-8")
    command = VENV / "bin" / "hikiate"
    python = shlex.quote(str(VENV / "bin" / "python"))
    command.write_text(f'#!/bin/sh\nexec {python} -P -m inventory "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    (VENV / "hikiate.stamp").write_text(stamp(), encoding="utf-8")


def install(lock: int) -> None:
    """Make the environment by the first way that works; raises `Failed` if none does."""
    ways: list[tuple[str, Callable[[int], str]]] = [
        ("uv of this machine", uv_on_path),
        ("uv fetched by pip", uv_by_pip),
        ("uv fetched from the package index", uv_by_download),
    ]
    for name, get_uv in ways:
        try:
            uv = get_uv(lock)
            shutil.rmtree(VENV, ignore_errors=True)
            install_with_uv(uv, lock)
        except Failed as failure:
            say(f"{name}: {failure}")
        else:
            return
    say("going on with pip alone, which takes a minute")
    shutil.rmtree(VENV, ignore_errors=True)
    install_with_pip(lock)


def ensure() -> None:
    """Leave a ready environment behind; raises `Failed` or `OSError`."""
    if is_ready():
        return
    with only_one() as lock:
        if is_ready():
            return
        started = time.monotonic()
        say("making the environment in .venv (first run or new versions; about 20 seconds)")
        install(lock)
        finish()
        say(f"environment ready after {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    try:
        ensure()
    except (Failed, OSError) as problem:
        say(f"the environment could not be made in {ROOT}: {problem}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    python = str(VENV / "bin" / "python")
    os.execv(python, [python, "-P", "-m", "inventory", *sys.argv[1:]])
