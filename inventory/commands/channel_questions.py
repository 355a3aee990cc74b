"""Asking a person, or a file, for what connects a shop; secrets are typed unseen."""

from __future__ import annotations

import codecs
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, get_args

import msgspec
import typer
from msgspec.structs import FieldInfo

from inventory.connections import NewChannel
from inventory.errors import BadInput
from inventory.fields import ChannelCode, web_address

FILE_BYTES_MAX = 100_000
# Where the marketplaces of Japan answer; a Shopify or EC-CUBE shop has an address of its own.
ADDRESSES = {
    "rakuten": "https://api.rms.rakuten.co.jp",
    "yahoo": "https://circus.shopping.yahooapis.jp",
    "amazon": "https://sellingpartnerapi-fe.amazon.com",
}
OTHER = "Another than its default (name=value, or nothing)"
# Members of credentials that are no secrets: nobody should type a date unseen.
SEEN = ("_at", "_version")


def read(source: str) -> NewChannel:
    """All of a new channel from a JSON file, or from standard input (-). Raises `BadInput`."""
    data = sys.stdin.buffer.read(FILE_BYTES_MAX + 1) if source == "-" else _read(source)
    if len(data) > FILE_BYTES_MAX:
        raise BadInput(f"what connects a shop has at most {FILE_BYTES_MAX} bytes")
    if not data.strip():
        raise BadInput("the channel: nothing was given, JSON is wanted")
    try:
        return msgspec.json.decode(data.removeprefix(codecs.BOM_UTF8), type=NewChannel)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        # msgspec names the member and the type wanted, never the value.
        raise BadInput(f"the channel, as JSON in UTF-8: {error}") from None


def _read(name: str) -> bytes:
    try:
        with Path(name).expanduser().open("rb") as file:
            return file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise BadInput(f"{name} cannot be read: {error.strerror}") from None


def ask(code: str | None, kind: str | None, free: Callable[[str], None]) -> NewChannel:
    """Ask for what the kind's adapter needs, and check each answer as it comes.

    `free` raises where the code is taken, before anything else is asked. Raises `BadInput` for
    what the adapter could not use.
    """
    from channels import registry

    kinds = [*sorted(registry.RECIPES), "own_store"]
    kind = kind or _prompted(f"Kind ({', '.join(kinds)})", lambda given: _kind(given, kinds))
    _kind(kind, kinds)
    code = code or _prompted("Code (small letters, digits, - and _)", _code, default=kind)
    free(_code(code))
    given: dict[str, Any] = {"code": code, "kind": kind}
    recipe = registry.RECIPES.get(kind)
    if recipe is not None:
        given["base_url"] = _prompted("Address of its API", _address, default=ADDRESSES.get(kind))
        given["settings"] = _settings(recipe.settings)
        given["credentials"] = _credentials(recipe.credentials)
    return msgspec.convert(given, NewChannel)


def _kind(kind: str, kinds: list[str]) -> str:
    if kind not in kinds:
        raise BadInput(f"the kind must be one of {', '.join(kinds)}, not {kind!r}")
    return kind


def _code(code: str) -> str:
    try:
        return msgspec.convert(code, ChannelCode)
    except msgspec.ValidationError:
        said = get_args(ChannelCode)[1].description
        raise BadInput(f"the code {code!r} cannot be used. {said}") from None


def _address(address: str) -> str:
    return web_address(address, name="the address of its API")


def _prompted(name: str, checked: Callable[[str], Any], **given: Any) -> Any:
    """What a person enters, asked for again until it can be used."""
    while True:
        entered = str(typer.prompt(name, **given))
        try:
            return checked(entered)
        except BadInput as error:
            typer.echo(error, err=True)


def _settings(shape: type[msgspec.Struct]) -> dict[str, Any]:
    """The settings that must be given, and others that somebody wants to change."""
    fields = {each.encode_name: each for each in msgspec.structs.fields(shape)}
    given = {
        name: _prompted(name, partial(_value, each))
        for name, each in fields.items()
        if each.required
    }
    optional = {name: each for name, each in fields.items() if not each.required}
    if optional:
        typer.echo("Settings with a default:")
        for name, each in optional.items():
            typer.echo(f"  {name}={_default(each)}")
        given |= _others(optional)
    try:
        msgspec.convert(given, shape)
    except msgspec.ValidationError as error:
        raise BadInput(f"settings: {error}") from None
    return given


def _default(field: FieldInfo) -> str:
    value = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    return json.dumps(msgspec.to_builtins(value), ensure_ascii=False)


def _others(known: dict[str, FieldInfo]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    while True:
        entered = typer.prompt(OTHER, default="", show_default=False)
        if not entered:
            return given
        name, equals, value = (part.strip() for part in entered.partition("="))
        if name not in known:
            typer.echo(f"{name} is none of them", err=True)
        elif not equals:
            typer.echo(f"write it as {name}=value", err=True)
        else:
            try:
                given[name] = _value(known[name], value)
            except BadInput as error:
                typer.echo(error, err=True)


def _credentials(shape: type[msgspec.Struct]) -> dict[str, Any]:
    """The keys; optional ones may be left empty. A date or a version is no secret, and is seen."""
    given: dict[str, Any] = {}
    for field in msgspec.structs.fields(shape):
        name = field.encode_name
        said = name if field.required else f"{name} (may be empty)"
        # A key of several lines cannot be typed into one.
        said += ", @FILE reads it from a file" if name.endswith("_pem") else ""
        shown = {"hide_input": not name.endswith(SEEN), "show_default": False}
        value = _prompted(
            said,
            partial(_secret, field),
            **shown | ({} if field.required else {"default": ""}),
        )
        given |= {name: value} if value else {}
    return given


def _secret(field: FieldInfo, entered: str) -> str:
    """One member of the credentials. `@FILE` reads a file. Raises `BadInput`, without the text."""
    if entered.startswith("@"):
        try:
            entered = _read(entered[1:]).decode()
        except UnicodeDecodeError:
            raise BadInput(f"{field.encode_name}: the file is no text") from None
    if entered:
        _converted(field, entered)
    return entered


def _value(field: FieldInfo, entered: str) -> Any:
    """One setting: as JSON writes it, else a text. Raises `BadInput` where it does not fit."""
    try:
        read = json.loads(entered)
    except json.JSONDecodeError:
        read = entered
    try:
        _converted(field, read)
    except BadInput:
        # An account of digits only is a text all the same.
        _converted(field, entered)
        read = entered
    return read


def _converted(field: FieldInfo, value: Any) -> None:
    try:
        msgspec.convert(value, field.type)
    except msgspec.ValidationError as error:
        raise BadInput(f"{field.encode_name}: {error}") from None
