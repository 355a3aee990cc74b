"""The launcher: it works from anywhere, takes the Pythons we run on, and waits for its like."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = ("hikiate", "installer.lock", "requirements.lock", "inventory/bootstrap.py")
# Stands for the environment's Python: it prints what it was asked to run.
ECHO = '#!/bin/sh\necho "$@"\n'


def script(path: Path, text: str) -> Path:
    """An executable file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


def fake_python(path: Path, version: str) -> Path:
    """A Python of another version, which is refused as that version would be."""
    return script(path, f"#!/bin/sh\necho {version}\nexit 1\n")


def launch(
    program: Path, *arguments: str, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the launcher with nothing in its environment but what is given."""
    env = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **environment}
    return subprocess.run(
        [program, *arguments], check=False, capture_output=True, text=True, cwd=cwd, env=env
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout, in a folder with a space, whose environment is made already."""
    root = tmp_path / "a checkout"
    for name in FILES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    script(root / ".venv/bin/python", ECHO)
    (root / ".venv/hikiate.stamp").write_text(stamp_of(root), encoding="utf-8")
    return root


def stamp_of(root: Path) -> str:
    """The stamp that this Python gives to an environment of the checkout."""
    code = f"import runpy; print(runpy.run_path({str(root / FILES[3])!r})['stamp'](), end='')"
    return subprocess.run(
        [sys.executable, "-I", "-c", code], check=True, capture_output=True, text=True
    ).stdout


def test_it_works_from_another_folder_and_through_links(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "first link").symlink_to("a checkout/hikiate")
    (tmp_path / "second link").symlink_to(tmp_path / "first link")

    done = launch(
        tmp_path / "second link", "demo", "--report", "my file", cwd=Path("/"),
        HIKIATE_PYTHON=sys.executable,
    )  # fmt: skip

    assert (done.stdout, done.stderr) == ("-P -m inventory demo --report my file\n", "")


def test_the_command_decides_the_exit_code(checkout: Path) -> None:
    script(checkout / ".venv/bin/python", "#!/bin/sh\nexit 7\n")

    assert launch(checkout / "hikiate", "test", HIKIATE_PYTHON=sys.executable).returncode == 7


def test_an_old_python_is_refused_with_what_was_found(checkout: Path, tmp_path: Path) -> None:
    shutil.rmtree(checkout / ".venv")
    for name in ("python3", "python3.13", "python3.12", "python3.11"):
        fake_python(tmp_path / "bin" / name, "3.10.4")

    done = launch(checkout / "hikiate", "demo", PATH=f"{tmp_path / 'bin'}:/usr/bin:/bin")

    assert done.returncode == 1
    assert done.stderr.startswith(
        "hikiate: Python 3.11, 3.12 or 3.13 is needed, but python3 is Python 3.10.4, "
    )
    assert done.stderr.endswith("; install one, or name it in HIKIATE_PYTHON.\n")
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize(
    ("version", "complaint"), [("3.10.4", "is Python 3.10.4"), ("3.14.0", "is Python 3.14.0")]
)
def test_the_python_that_was_named_is_the_only_one_tried(
    checkout: Path, tmp_path: Path, version: str, complaint: str
) -> None:
    named = fake_python(tmp_path / "named python", version)

    done = launch(checkout / "hikiate", HIKIATE_PYTHON=str(named))

    assert (done.returncode, done.stdout) == (1, "")
    assert f"but {named} {complaint}; install" in done.stderr


def test_a_named_python_that_is_not_there(checkout: Path) -> None:
    done = launch(checkout / "hikiate", HIKIATE_PYTHON="/nowhere/python3")

    assert done.returncode == 1
    assert "but /nowhere/python3 does not run; install" in done.stderr


def test_a_second_command_waits_for_the_first(checkout: Path) -> None:
    stamp = (checkout / ".venv/hikiate.stamp").rename(checkout / "stamp")
    with (checkout / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with subprocess.Popen(
            [checkout / "hikiate", "version"],
            env={"PATH": "/usr/bin:/bin", "HIKIATE_PYTHON": sys.executable},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as second:
            assert second.stderr is not None
            assert "waiting for it" in second.stderr.readline()
            stamp.rename(checkout / ".venv/hikiate.stamp")
            fcntl.flock(lock, fcntl.LOCK_UN)
            output, errors = second.communicate()

    assert (output, errors, second.returncode) == ("-P -m inventory version\n", "", 0)


@pytest.mark.parametrize("change", ["lock", "place", "nothing there"])
def test_an_environment_that_does_not_fit_is_not_ready(checkout: Path, change: str) -> None:
    if change == "lock":
        with (checkout / "requirements.lock").open("a", encoding="utf-8") as lock:
            lock.write("another==1.0\n")
    elif change == "place":
        checkout = checkout.rename(checkout.parent / "elsewhere")
    else:
        shutil.rmtree(checkout / ".venv")
    code = f"import runpy; print(runpy.run_path({str(checkout / FILES[3])!r})['is_ready']())"

    done = subprocess.run(
        [sys.executable, "-I", "-c", code], check=True, capture_output=True, text=True
    )

    assert done.stdout == "False\n"
