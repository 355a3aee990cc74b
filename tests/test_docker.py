"""The image and the compose file: what they name exists, and secrets come from outside."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from inventory import config
from inventory.cli import app

ROOT = Path(__file__).resolve().parent.parent
COMPOSE = yaml.safe_load((ROOT / "docker/compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = sorted(name for name, service in SERVICES.items() if service["image"] == "hikiate")
FILLED_IN = {
    "POSTGRES_PASSWORD": "p" * 20,
    "VALKEY_PASSWORD": "v" * 20,
    "HIKIATE_SECRET_KEY": "s" * 40,
}
INSTRUCTIONS = {
    *("ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL"),
    *("RUN", "USER", "VOLUME", "WORKDIR"),
}


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions in order, long lines joined, comments left out."""
    text = (ROOT / "docker/Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    pairs = [line.partition(" ") for line in joined.splitlines() if line.strip()]
    return [(word, rest.strip()) for word, _, rest in pairs]


def only(name: str) -> str:
    """What follows the last instruction of this name."""
    return [rest for word, rest in instructions() if word == name][-1]


def interpolated(value: str) -> str:
    """The value as compose gives it to a container, from the settings above."""
    return re.sub(r"\$\{(\w+)(:\?[^}]*)?\}", lambda found: FILLED_IN[found[1]], value)


def accept(arguments: list[str]) -> None:
    """Raises if the hikiate command would refuse these arguments; runs nothing."""
    group: Any = typer.main.get_command(app)
    name, *rest = arguments
    assert name in group.commands, f"there is no command `hikiate {name}`"
    group.commands[name].make_context(name, rest)


def test_every_part_of_the_house_is_a_service() -> None:
    assert set(SERVICES) == {
        *("postgres", "valkey", "migrate", "api", "worker-intake", "worker-publish", "beat")
    }
    assert (SERVICES["postgres"]["image"], SERVICES["valkey"]["image"]) == (
        "postgres:18",
        "valkey/valkey:9",
    )


@pytest.mark.parametrize("name", OURS)
def test_the_command_of_each_service_is_one_of_ours(name: str) -> None:
    accept(SERVICES[name]["command"])


def test_the_image_serves_the_api_unless_told_otherwise() -> None:
    assert only("ENTRYPOINT") == '["python", "-P", "-m", "inventory"]'
    accept(json.loads(only("CMD")))


@pytest.mark.parametrize("name", OURS)
def test_the_settings_of_each_service_are_valid(name: str) -> None:
    environment = {key: interpolated(text) for key, text in SERVICES[name]["environment"].items()}

    settings = config.load(environment)

    assert settings.database_url == f"postgresql://hikiate:{'p' * 20}@postgres:5432/hikiate"
    assert settings.redis_url == f"redis://:{'v' * 20}@valkey:6379/0"


def test_secrets_come_from_the_env_file_alone() -> None:
    text = (ROOT / "docker/compose.yaml").read_text(encoding="utf-8")
    example = (ROOT / "docker/.env.example").read_text(encoding="utf-8")

    asked_for = set(re.findall(r"(?<!\$)\$\{(\w+):\?", text))

    assert asked_for == set(FILLED_IN) == set(re.findall(r"^(\w+)=$", example, re.MULTILINE))


def test_services_wait_for_those_they_need() -> None:
    for name in OURS:
        for other, how in SERVICES[name]["depends_on"].items():
            if how["condition"] == "service_healthy":
                assert "test" in SERVICES[other]["healthcheck"]
            else:
                assert how["condition"] == "service_completed_successfully"
                assert SERVICES[other]["restart"] == "on-failure"
    volumes = [
        volume.partition(":")[0] for one in SERVICES.values() for volume in one.get("volumes", [])
    ]
    assert set(volumes) == set(COMPOSE["volumes"])


def test_the_image_is_built_from_locked_packages_and_existing_files() -> None:
    assert {word for word, _ in instructions()} <= INSTRUCTIONS
    installs = " ".join(rest for word, rest in instructions() if word == "RUN")
    assert "--require-hashes" in installs
    assert "--constraint requirements.lock" in installs
    for word, rest in instructions():
        if word == "COPY" and not rest.startswith("--from="):
            for source in shlex.split(rest)[:-1]:
                assert (ROOT / source).exists(), f"COPY of {source}, which is not there"


def test_the_image_runs_as_an_ordinary_user_and_shows_its_health() -> None:
    assert only("USER") == "hikiate"
    order = [word for word, _ in instructions()]
    assert order.index("USER") < order.index("ENTRYPOINT")
    assert "/health/live" in only("HEALTHCHECK")
    base_images = {rest.split()[0] for word, rest in instructions() if word == "FROM"}
    assert all(re.search(r":\d+\.\d+", image) for image in base_images)
