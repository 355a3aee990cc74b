"""Sealing, and keeping secrets out of every log line."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from inventory import logs
from inventory.connections import ChannelChange, NewChannel
from inventory.logs import HIDDEN, redact
from inventory.security import SecretUnreadable, Vault

OLD, NEW = "the old secret key of 40 characters .....", "the new secret key of 40 characters ....."


def test_what_is_sealed_can_be_opened_with_the_same_key_only() -> None:
    sealed = Vault(OLD).seal({"token": "swordfish-1"})

    assert b"swordfish" not in sealed
    assert Vault(OLD).open(sealed) == {"token": "swordfish-1"}
    assert repr(Vault(OLD)) == "Vault()"
    with pytest.raises(SecretUnreadable) as caught:
        Vault(NEW).open(sealed)
    assert "swordfish" not in str(caught.value)


def test_key_can_be_replaced_without_entering_secrets_anew() -> None:
    sealed = Vault(OLD).seal({"token": "swordfish-1"})
    both = Vault(f"{NEW},{OLD}")

    assert both.open(sealed) == {"token": "swordfish-1"}
    assert Vault(NEW).open(both.seal({"a": "b"})) == {"a": "b"}


def test_requests_with_credentials_do_not_show_them() -> None:
    credentials = {"token": "swordfish-2"}
    new = NewChannel(code="a", kind="shopify", credentials=credentials)
    change = ChannelChange(credentials=credentials, safety_stock=1)
    assert repr(new) == "NewChannel(code='a', kind='shopify')"
    assert repr(change) == "ChannelChange(credentials, safety_stock)"


@pytest.mark.parametrize(
    "name",
    [
        "authorization",
        "Authorization",
        "access_token",
        "client_secret",
        "password",
        "credentials",
        "api_key",
        "apiKey",
        "X-Api-Key",
        "key",
        "licenseKey",
        "cookie",
    ],
)
def test_fields_that_name_a_secret_are_hidden(name: str) -> None:
    assert redact({"outer": [{name: "visible"}]}) == {"outer": [{name: HIDDEN}]}


@pytest.mark.parametrize("name", ["sku", "fact_ref", "monkey", "keyboard", "event_id", "code"])
def test_ordinary_fields_are_shown(name: str) -> None:
    assert redact({name: "visible"}) == {name: "visible"}


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("Authorization: Bearer abc.def-ghi", "Authorization: Bearer [hidden]"),
        ("postgresql://app:pa55word@db/x", "postgresql://app:[hidden]@db/x"),
        ("key hk_abcdefghijklmnop was used", "key [hidden] was used"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "[hidden]"),
        ("token shpat_0123456789abcdef", "token [hidden]"),
        ("nothing to hide at http://host:8000/x", "nothing to hide at http://host:8000/x"),
    ],
)
def test_secrets_within_a_text_are_hidden(said: str, written: str) -> None:
    assert redact(said) == written


def test_what_was_opened_is_never_written_again() -> None:
    vault = Vault(OLD)
    vault.open(vault.seal({"nested": {"refresh": ["grass-hopper-77"]}}))
    assert redact({"detail": "refused: grass-hopper-77!"}) == {"detail": "refused: [hidden]!"}


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What is written to standard error while logs are set up as in production."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    root = logging.getLogger()
    before = root.handlers, root.level
    quiet = {name: logging.getLogger(name).level for name in ("httpx", "httpcore", "alembic")}
    logs.configure(level="INFO", as_json=True)
    yield stream
    root.handlers, root.level = before
    for name, level in quiet.items():
        logging.getLogger(name).setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """The log lines."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_log_lines_are_json_with_ids_and_without_secrets(written: io.StringIO) -> None:
    log = structlog.get_logger("inventory.test")
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        log.info("pulled", channel="rmart", token="t-1", headers={"Authorization": "x"})
        logging.getLogger("somebody.else").warning("Bearer %s", "abcdefgh")
        log.debug("too quiet")

    first, second = lines(written)

    assert first.pop("timestamp").endswith("Z")
    assert first == {
        "event": "pulled",
        "channel": "rmart",
        "token": HIDDEN,
        "headers": {"Authorization": HIDDEN},
        "request_id": "r-1",
        "level": "info",
        "logger": "inventory.test",
    }
    assert (second["event"], second["request_id"]) == ("Bearer [hidden]", "r-1")


def test_traceback_holds_no_secret(written: io.StringIO) -> None:
    logs.hide(secret_key="another secret key", urls=["postgresql://app:p%40ssphrase@db/x"])
    log = structlog.get_logger("inventory.test")
    try:
        int("p@ssphrase with another secret key or p%40ssphrase")
    except ValueError:
        log.exception("failed")

    [line] = lines(written)

    assert "ValueError" in line["exception"]
    assert "ssphrase" not in line["exception"]
    assert "another secret" not in line["exception"]
