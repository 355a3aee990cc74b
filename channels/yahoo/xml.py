"""Yahoo!'s XML: built with care, parsed with defusedxml, and its errors sorted by who must act."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.etree import ElementTree as ET

import defusedxml.ElementTree
import httpx
import msgspec
from defusedxml import DefusedXmlException

from channels.base import (
    AuthExpired,
    BadAnswer,
    ChannelError,
    OutcomeUnknown,
    Rejected,
    RetryLater,
)

# Store API pages, "エラー": maintenance, and a publication under way (the latter from one client).
WAIT = frozenset({"ed-00002", "ed-00006"})
# "System error": whether a write took effect is not said. ed-10002: written, but not read again.
UNCLEAR = frozenset({"ed-00001", "st-02999", "ed-10002"})
MAINTENANCE_SECONDS = 60.0
TEXT_MAX = 200

# A sequence is an element that is there several times.
Words = Mapping[str, "str | Words | Sequence[Words]"]


def request(words: Words) -> bytes:
    """`<Req>` with elements named and nested as in `words`."""
    root = ET.Element("Req")
    _fill(root, words)
    body: bytes = ET.tostring(root, encoding="UTF-8", xml_declaration=True)
    return body


def _fill(parent: ET.Element, words: Words) -> None:
    for name, value in words.items():
        if isinstance(value, str):
            ET.SubElement(parent, name).text = value
            continue
        for each in [value] if isinstance(value, Mapping) else value:
            _fill(ET.SubElement(parent, name), each)


def answer(response: httpx.Response, *, name: str, writes: bool = False) -> ET.Element:
    """The answer's XML, without name spaces.

    Raises for an `Error` in it (see `error`), BadAnswer when it cannot be read, or OutcomeUnknown
    when that was the answer to a write.
    """
    code = _json_code(response)
    if code is not None:
        raise error(code, name=name, writes=writes)
    try:
        root: ET.Element = defusedxml.ElementTree.fromstring(response.content)
    except (ET.ParseError, DefusedXmlException, ValueError) as problem:
        if not response.is_success:
            raise Rejected(f"{name}: {response.status_code}") from problem
        text = f"{name}: unreadable answer"
        raise (OutcomeUnknown(text) if writes else BadAnswer(text)) from problem
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    if root.tag == "Error":
        raise error(root.findtext("Code") or "no code", name=name, writes=writes)
    if not response.is_success:
        raise Rejected(f"{name}: {response.status_code}")
    return root


def code_of(response: httpx.Response) -> str:
    """The code of an error, in XML or JSON; empty where there is none that can be read."""
    code = _json_code(response)
    if code is not None:
        return code
    try:
        root: ET.Element = defusedxml.ElementTree.fromstring(response.content)
    except (ET.ParseError, DefusedXmlException, ValueError):
        return ""
    return next((each.text or "" for each in root.iter() if each.tag.endswith("Code")), "")


def error(code: str, *, name: str, writes: bool) -> ChannelError:
    """What a code means for us. Unknown od9* codes are final: a person must look."""
    text = f"{name}: {code[:TEXT_MAX]}"
    if code.startswith("px-"):
        return AuthExpired(text)
    if code in WAIT:
        return RetryLater(text, seconds=MAINTENANCE_SECONDS if code == "ed-00002" else 5.0)
    if code in UNCLEAR:
        return OutcomeUnknown(text) if writes else RetryLater(text)
    return Rejected(text)


class _JsonError(msgspec.Struct):
    code: list[str] = msgspec.field(name="Code")


class _JsonAnswer(msgspec.Struct):
    error: _JsonError = msgspec.field(name="Error")


def _json_code(response: httpx.Response) -> str | None:
    # Some gateway errors come as JSON whatever was asked for.
    if not response.content.lstrip().startswith(b"{"):
        return None
    try:
        codes = msgspec.json.decode(response.content, type=_JsonAnswer).error.code
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return codes[0] if codes else "no code"
