"""Commands that are given beside a house find its settings."""

from __future__ import annotations

import stat
from ipaddress import ip_network
from pathlib import Path

import pytest

from inventory.commands.house import ENVIRONMENT_FILE, settings_here, write_environment
from inventory.errors import WrongState

HOUSE = {
    "DATABASE_URL": "postgresql://house/h",
    "REDIS_URL": "redis://house",
    "HIKIATE_SECRET_KEY": "only for tests: forty characters or more",
    "HIKIATE_WEBHOOK_NETWORKS": "127.0.0.0/8",
    "HIKIATE_LOG_LEVEL": "WARNING",
    "HOME": "/nobody",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of a house, and a shell that knows nothing but that folder."""
    for name in HOUSE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HIKIATE_DATA_DIR", str(tmp_path))
    return tmp_path


def test_networks_named_for_the_house_hold_for_its_commands(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_environment(folder, HOUSE)
    monkeypatch.setenv("HIKIATE_SECRET_KEY", "another key, of forty characters or more")
    monkeypatch.setenv("HIKIATE_LOG_LEVEL", "DEBUG")

    found = settings_here()

    assert found.webhook_networks == (ip_network("127.0.0.0/8"),)
    assert found.database_url == HOUSE["DATABASE_URL"]
    # What seals and opens must be the house's own; how much is logged is the caller's.
    assert (found.secret_key, found.log_level) == (HOUSE["HIKIATE_SECRET_KEY"], "DEBUG")
    file = folder / ENVIRONMENT_FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "nobody" not in file.read_text()


def test_without_a_house_a_command_says_what_is_missing(folder: Path) -> None:
    with pytest.raises(WrongState, match="no house runs in this folder"):
        settings_here()
