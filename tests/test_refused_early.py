"""What cannot work is said in one line before anything is started; Ctrl-C ends without a word."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from inventory.cli import app

ROOT = Path(__file__).parent.parent
SETTINGS = {
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    "REDIS_URL": "redis://127.0.0.1:1",
    "HIKIATE_SECRET_KEY": "only for tests: forty characters or more",
}


def told(*arguments: str, **environment: str) -> tuple[int, str]:
    """The command's exit code, and the last line of its standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "inventory", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "command",
    [
        ["demo", "--report"],
        ["demo", "--books"],
        ["bench", "ledger", "--report"],
        ["bench", "channels", "--report"],
        ["bench", "webhooks", "--report"],
        ["soak", "--report"],
    ],
)
def test_a_report_that_cannot_be_written_is_said_before_the_work(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("full").mkdir()
    for name, why in (("none/report.json", "there is no folder"), ("full", "full is a folder")):
        done = CliRunner().invoke(app, [*command, name])
        assert (done.exit_code, why in done.output) == (2, True), done.output


def test_a_night_needs_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    for folder, why in (("file", "file is not a folder"), (".", ". is not empty")):
        done = CliRunner().invoke(app, ["demo", "--data-dir", folder])
        assert (done.exit_code, why in done.output) == (2, True), done.output


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    code, said = told("up", "--port", "1", "--data-dir", str(file))
    assert (code, "Not a directory" in said, f"{file}" in said) == (1, True, True)


def test_a_sandbox_ends_with_ctrl_c_and_without_a_word() -> None:
    command = [sys.executable, "-m", "inventory", "sandbox"]
    with subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as sandbox:
        assert sandbox.stdout is not None
        assert sandbox.stdout.readline().startswith("sandbox ready http://127.0.0.1:")
        sandbox.send_signal(signal.SIGINT)
        assert sandbox.communicate() == ("", "")
    assert sandbox.returncode == 0


@pytest.mark.parametrize("command", ["sandbox", "api"])
def test_a_port_that_is_taken_is_named(command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = told(command, "--port", str(port), **SETTINGS)

    assert code == 1
    assert said == f"hikiate: port {port} cannot be used: Address already in use; try --port"
