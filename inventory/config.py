"""Settings from the environment, checked at start; a wrong one is named with what was expected."""

from __future__ import annotations

import os
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from inventory.errors import SettingWrong

MINUTE = 60


class Settings(Struct, frozen=True, kw_only=True):
    """Everything that can be set from outside. Durations are seconds unless the name says else.

    `demand_window_seconds` and `unseen_quantile` shape the margin that an absolute channel keeps
    for its own sales that we cannot see yet; `listing_late_seconds` is when a listing turns health
    red; `webhook_networks` are addresses that webhooks may reach although they are not public.
    """

    database_url: str
    redis_url: str
    secret_key: str
    data_dir: Path
    api_host: str = "127.0.0.1"
    api_port: int = 8000
    log_level: str = "INFO"
    demand_window_seconds: int = 30
    unseen_quantile: float = 0.999
    listing_late_seconds: int = 60
    event_late_seconds: int = 5 * MINUTE
    channel_silent_seconds: int = 10 * MINUTE
    delivery_late_seconds: int = 10 * MINUTE
    webhook_networks: tuple[IPv4Network | IPv6Network, ...] = ()

    def __repr__(self) -> str:
        """Without addresses' passwords and the key."""
        return f"Settings(api={self.api_host}:{self.api_port}, data_dir={str(self.data_dir)!r})"


PREFIX = "HIKIATE_"


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings. Raises `SettingWrong`, naming the variable and what was expected."""
    env = os.environ if environ is None else environ
    return Settings(
        database_url=_url(env, "DATABASE_URL", schemes=("postgresql", "postgres")),
        redis_url=_url(env, "REDIS_URL", schemes=("redis", "rediss", "unix")),
        secret_key=_secret(env),
        data_dir=Path(env.get(PREFIX + "DATA_DIR", ".hikiate")),
        api_host=env.get(PREFIX + "API_HOST", "127.0.0.1"),
        api_port=_integer(env, "API_PORT", default=8000, least=0, most=65535),
        log_level=_choice(env, "LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR"), default="INFO"),
        demand_window_seconds=_integer(
            env, "DEMAND_WINDOW_SECONDS", default=30, least=5, most=3600
        ),
        unseen_quantile=_fraction(env, "UNSEEN_QUANTILE", default=0.999),
        listing_late_seconds=_integer(env, "LISTING_LATE_SECONDS", default=60, least=5, most=86400),
        event_late_seconds=_integer(
            env, "EVENT_LATE_SECONDS", default=5 * MINUTE, least=5, most=86400
        ),
        channel_silent_seconds=_integer(
            env, "CHANNEL_SILENT_SECONDS", default=10 * MINUTE, least=30, most=86400
        ),
        delivery_late_seconds=_integer(
            env, "DELIVERY_LATE_SECONDS", default=10 * MINUTE, least=30, most=86400
        ),
        webhook_networks=_networks(env),
    )


def _url(env: Mapping[str, str], name: str, *, schemes: tuple[str, ...]) -> str:
    value = env.get(name, "")
    if urlsplit(value).scheme not in schemes:
        expected = " or ".join(f"{scheme}://…" for scheme in schemes)
        raise SettingWrong(name, expected=f"an address starting with {expected}", found=value)
    return value


def _secret(env: Mapping[str, str]) -> str:
    name = PREFIX + "SECRET_KEY"
    value = env.get(name, "")
    if len(value) < 32:  # noqa: PLR2004 -- the limit is the sentence below
        raise SettingWrong(name, expected="a random text of at least 32 characters", found=None)
    return value


def _integer(env: Mapping[str, str], name: str, *, default: int, least: int, most: int) -> int:
    text = env.get(PREFIX + name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or not least <= int(text[:9]) <= most:
        raise SettingWrong(
            PREFIX + name, expected=f"a whole number from {least} to {most}", found=text
        )
    return int(text)


def _fraction(env: Mapping[str, str], name: str, *, default: float) -> float:
    text = env.get(PREFIX + name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.5 <= value < 1:  # noqa: PLR2004 -- the limit is the sentence below
        raise SettingWrong(PREFIX + name, expected="a number from 0.5 to below 1", found=text)
    return value


def _choice(env: Mapping[str, str], name: str, choices: tuple[str, ...], *, default: str) -> str:
    value = env.get(PREFIX + name, default).upper()
    if value not in choices:
        raise SettingWrong(PREFIX + name, expected="one of " + ", ".join(choices), found=value)
    return value


def _networks(env: Mapping[str, str]) -> tuple[IPv4Network | IPv6Network, ...]:
    name = PREFIX + "WEBHOOK_NETWORKS"
    found = env.get(name, "")
    try:
        return tuple(ip_network(part.strip()) for part in found.split(",") if part.strip())
    except ValueError:
        raise SettingWrong(
            name, expected="networks such as 192.168.1.0/24, separated by commas", found=found
        ) from None
