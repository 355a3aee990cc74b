"""How the environment is made: which index is asked, what is fetched, and what is refused."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import http.server
import io
import shutil
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from inventory import bootstrap

TAGS = (
    *("win_amd64", "macosx_11_0_arm64", "manylinux_2_17_aarch64", "musllinux_1_1_x86_64"),
    "manylinux_2_17_x86_64.manylinux2014_x86_64",
)
LINK = '<a class="x" href="../../files/uv-9.9.9-py3-none-{}.whl#sha256=0">uv</a>\n'


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and writes no line per request."""

    def log_message(self, *_arguments: object) -> None:
        """Nothing."""


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address at which a folder is served on this machine."""
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def wheel() -> bytes:
    """A wheel of uv 9.9.9, small."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("uv-9.9.9.data/scripts/uv", '#!/bin/sh\necho "$@"\n')
    return content.getvalue()


@pytest.fixture
def index(tmp_path: Path, wheel: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The index's folder; its address is in pip's variable."""
    page = "".join(LINK.format(tag) for tag in TAGS)
    (tmp_path / "simple/uv").mkdir(parents=True)
    (tmp_path / "simple/uv/index.html").write_text(page, encoding="utf-8")
    (tmp_path / "files").mkdir()
    (tmp_path / f"files/uv-9.9.9-py3-none-{TAGS[-1]}.whl").write_bytes(wheel)
    lock = f"uv==9.9.9 \\\n    --hash=sha256:{hashlib.sha256(wheel).hexdigest()}\n"
    (tmp_path / "installer.lock").write_text(lock, encoding="utf-8")
    monkeypatch.setattr(bootstrap, "INSTALLER_LOCK", tmp_path / "installer.lock")
    monkeypatch.setattr(bootstrap, "TOOLS", tmp_path / "tools")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("platform.libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setattr("sys.platform", "linux")
    with serving(tmp_path) as address:
        monkeypatch.setenv("PIP_INDEX_URL", f"{address}/simple/")
        yield tmp_path


def test_the_program_is_unpacked(index: Path) -> None:
    program = bootstrap.uv_by_download(-1)

    assert program == str(index / "tools/uv-9.9.9")
    done = subprocess.run([program, "works"], check=True, capture_output=True, text=True)
    assert done.stdout == "works\n"
    assert bootstrap.uv_on_path(-1) == program


def test_a_file_of_another_content_is_refused(index: Path) -> None:
    [file] = (index / "files").iterdir()
    file.write_bytes(file.read_bytes() + b" ")

    with pytest.raises(bootstrap.Failed, match="not the one in"):
        bootstrap.uv_by_download(-1)

    assert not (index / "tools").exists()


def test_a_machine_without_a_file(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")

    with pytest.raises(bootstrap.Failed, match="no uv for linux on riscv64"):
        bootstrap.uv_by_download(-1)


def test_an_index_without_the_page(index: Path) -> None:
    shutil.rmtree(index / "simple")

    with pytest.raises(bootstrap.Failed, match="cannot be read: HTTP Error 404"):
        bootstrap.uv_by_download(-1)


def test_the_sites_index_is_read_from_pips_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "pip.conf").write_text(
        "[global]\nindex-url = http://mirror.invalid/%40/simple\n", encoding="utf-8"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))

    assert bootstrap.site_index() == "http://mirror.invalid/%40/simple"
    assert bootstrap.tool_environment()["UV_DEFAULT_INDEX"] == "http://mirror.invalid/%40/simple"


def test_what_would_mislead_an_installer_is_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIP_TARGET", "PYTHONPATH", "VIRTUAL_ENV"):
        monkeypatch.setenv(name, "/elsewhere")

    assert not {"PIP_TARGET", "PYTHONPATH", "VIRTUAL_ENV"} & bootstrap.tool_environment().keys()


def test_a_failed_tool_shows_its_last_lines() -> None:
    with pytest.raises(bootstrap.Failed, match=r"^sh ended with 3: two \| three \| four \| five$"):
        bootstrap.run(["/bin/sh", "-c", "printf '%s\\n' one two three four five; exit 3"], 0)
