"""The shapes and limits of what people and programs may enter, the same at every door."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from inventory.errors import BadInput
from inventory.facts import QUANTITY_MAX

# A code stands in addresses, so it has neither spaces nor slashes. \Z, as $ lets a newline through.
Code = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        pattern=r"^[!-.0-~]+\Z",
        description="Up to 200 printable ASCII characters, no space and no slash.",
    ),
]
ChannelCode = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=50,
        pattern=r"^[a-z0-9][a-z0-9_-]*\Z",
        description="Up to 50 lower-case letters, digits, - and _.",
    ),
]
Ref = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        pattern=r"^[!-~]([ -~]*[!-~])?\Z",
        description="Up to 200 printable ASCII characters, no space at either end.",
    ),
]
Text = Annotated[
    str,
    Meta(
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*\Z",
        description="Up to 200 characters, no line breaks.",
    ),
]
Url = Annotated[str, Meta(max_length=500, description="An http or https address.")]
Units = Annotated[int, Meta(ge=1, le=QUANTITY_MAX, description="Units, 1 to 1,000,000.")]
Count = Annotated[int, Meta(ge=0, le=QUANTITY_MAX, description="Units, 0 to 1,000,000.")]
Change = Annotated[
    int, Meta(ge=-QUANTITY_MAX, le=QUANTITY_MAX, description="Units, up to 1,000,000 either way.")
]
Percent = Annotated[int, Meta(ge=0, le=100, description="Percent, 0 to 100.")]
Moment = Annotated[datetime, Meta(tz=True, description="RFC 3339 with time zone, 2000 to 2100.")]

JSON_BYTES_MAX = 20_000
YEARS = (2000, 2100)


# What a text may hold, in words for people in place of the pattern that it broke.
_WORDS = {
    r"^[!-.0-~]+\Z": "printable ASCII, without spaces and slashes",
    r"^[a-z0-9][a-z0-9_-]*\Z": "small letters, digits, - and _, a letter or digit first",
    r"^[!-~]([ -~]*[!-~])?\Z": "printable ASCII, without a space at either end",
    r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*\Z": "without line breaks and control characters",
    r"^[^\x00-\x20\x7f-\x9f\u2028\u2029]+\Z": "without spaces, line breaks and control characters",
}
MESSAGE_CHARACTERS_MAX = 300


def plain(message: str) -> str:
    """What msgspec says of a wrong value, for people: words, and no more than fits a few lines."""
    for pattern, words in _WORDS.items():
        message = message.replace(f"matching regex {pattern!r}", words)
    return shortened(message, MESSAGE_CHARACTERS_MAX)


def shortened(message: str, most: int) -> str:
    """The text, or its begin and its end where it is longer: a caller's own value may be huge."""
    if len(message) <= most:
        return message
    half = (most - 3) // 2
    return f"{message[:half]} … {message[-half:]}"


def moment(value: datetime) -> datetime:
    """The same moment in UTC. Raises `BadInput` outside the years 2000 to 2100."""
    if not YEARS[0] < value.year < YEARS[1]:
        raise BadInput(f"a time must lie between the years {YEARS[0]} and {YEARS[1]}")
    if value.tzinfo is None:
        raise BadInput("a time needs its time zone, such as Z or +09:00")
    return value.astimezone(UTC)


def web_address(url: str, *, name: str) -> str:
    """The address. Raises `BadInput` unless it is plain http(s), without user and password."""
    try:
        parts = urlsplit(url)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname)
        sound = sound and parts.port != 0 and not parts.fragment
    except ValueError:
        sound = False
    if not sound or parts.username is not None or not (url.isascii() and url.isprintable()):
        raise BadInput(f"{name} must be an http or https address without user name or password")
    if any(character in url for character in ' "<>\\^`{|}'):
        raise BadInput(f"{name} must be an http or https address without spaces or quotes")
    return url


def small_json(value: dict[str, Any], *, name: str) -> dict[str, Any]:
    """The object. Raises `BadInput` when it is over 20,000 bytes or has a NUL in it."""
    encoded = msgspec.json.encode(value)
    if len(encoded) > JSON_BYTES_MAX:
        raise BadInput(f"{name} must be at most {JSON_BYTES_MAX} bytes of JSON")
    if b"\\u0000" in encoded:
        raise BadInput(f"{name} must not contain the character NUL")
    return value
