"""A night that does not end: what it leaves behind, and what it says."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest

from inventory import stack
from inventory.demo import night
from inventory.processes import ProcessError


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where nights without a folder of their own put theirs."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def ends_with(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every house ends like this when it is started."""

    def start(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(stack, "start", start)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(143)])
def test_a_night_that_a_person_breaks_off_leaves_nothing(
    error: BaseException, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends_with(error, monkeypatch)
    with pytest.raises(type(error)):
        night.run(night.Plan())
    assert list(temporary.iterdir()) == []


def test_a_night_that_fails_keeps_its_logs_and_says_where(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ends_with(ProcessError("the API did not happen"), monkeypatch)
    with pytest.raises(ProcessError):
        night.run(night.Plan())
    [folder] = temporary.iterdir()
    assert f"logs are kept in {folder / 'logs'}" in capsys.readouterr().err


def test_a_folder_that_was_named_stays(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ends_with(KeyboardInterrupt(), monkeypatch)
    named = temporary / "named"
    with pytest.raises(KeyboardInterrupt):
        night.run(night.Plan(), data_dir=named)
    assert (named / "logs").is_dir()
