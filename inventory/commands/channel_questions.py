"""Asking a person, or a file, for what connects a shop; secrets are typed unseen."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import typer

from inventory.connections import NewChannel
from inventory.errors import BadInput

FILE_BYTES_MAX = 100_000


def read(source: str) -> NewChannel:
    """All of a new channel from a JSON file, or from standard input (-). Raises `BadInput`."""
    data = sys.stdin.buffer.read(FILE_BYTES_MAX + 1) if source == "-" else _read(Path(source))
    if len(data) > FILE_BYTES_MAX:
        raise BadInput(f"what connects a shop has at most {FILE_BYTES_MAX} bytes")
    try:
        return msgspec.json.decode(data, type=NewChannel)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        # msgspec names the member and the type wanted, never the value.
        raise BadInput(f"the channel: {error}") from None


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(FILE_BYTES_MAX + 1)


def ask(code: str | None, kind: str | None) -> NewChannel:
    """Ask for what the kind's adapter needs. Raises `BadInput` for what it could not use."""
    from channels import registry

    kind = kind or typer.prompt(f"Kind ({', '.join(sorted(registry.RECIPES))}, own_store)")
    code = code or typer.prompt("Code (small letters, digits, - and _)", default=kind)
    given: dict[str, Any] = {"code": code, "kind": kind}
    recipe = registry.RECIPES.get(kind)
    if recipe is not None:
        given["base_url"] = typer.prompt("Address of its API")
        given["settings"] = _asked(recipe.settings, secret=False)
        given["credentials"] = _asked(recipe.credentials, secret=True)
    try:
        return msgspec.convert(given, NewChannel)
    except msgspec.ValidationError as error:
        raise BadInput(f"the channel: {error}") from None


def _asked(shape: type[msgspec.Struct], *, secret: bool) -> dict[str, Any]:
    """The members of a shape that must be given, and optional ones that somebody wants to give."""
    given: dict[str, Any] = {}
    fields = msgspec.structs.fields(shape)
    for field in fields:
        if field.required:
            given[field.encode_name] = _value(field.encode_name, secret=secret)
    optional = [field for field in fields if not field.required]
    if optional and not secret:
        names = ", ".join(f"{field.encode_name} ({field.default})" for field in optional)
        typer.echo(f"Settings with a default: {names}")
        given |= _others({field.encode_name for field in optional})
    elif optional:
        for field in optional:
            value = _value(f"{field.encode_name} (may be empty)", secret=True, default="")
            given |= {field.encode_name: value} if value else {}
    return given


def _others(known: set[str]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    while True:
        entered = typer.prompt("Another than its default (name=value, or nothing)", default="")
        if not entered:
            return given
        name, equals, value = entered.partition("=")
        if name not in known or not equals:
            typer.echo(f"{name} is none of them", err=True)
            continue
        given[name] = _typed(value)


def _typed(value: str) -> Any:
    """A number, true, false or null as JSON writes them; anything else is a text."""
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


def _value(name: str, *, secret: bool, default: str | None = None) -> Any:
    """One member. Of several lines, such as a key in PEM, `@FILE` reads a file."""
    entered = str(typer.prompt(name, hide_input=secret, default=default, show_default=not secret))
    if entered.startswith("@"):
        return _read(Path(entered[1:])).decode()
    return entered if secret else _typed(entered)
