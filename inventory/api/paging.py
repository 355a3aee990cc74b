"""Lists in pages: an opaque cursor holds the last key of a page; nothing is skipped or doubled."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar

import msgspec
from litestar.params import PathParameter, QueryParameter
from msgspec import Struct

from inventory.errors import BadInput

LIMIT_MAX = 500
ID_MAX = 2**63 - 1
SMALL_ID_MAX = 2**31 - 1
CURSOR_CHARACTERS_MAX = 500
PATH_CHARACTERS_MAX = 200

T = TypeVar("T")
Key = TypeVar("Key")

Limit = Annotated[
    int,
    QueryParameter(
        name="limit", ge=1, le=LIMIT_MAX, description="Most rows to answer with, 1 to 500."
    ),
]
Cursor = Annotated[
    str | None,
    QueryParameter(name="cursor", description="The `next` of the page before.", required=False),
]
PathText = Annotated[str, PathParameter(min_length=1, max_length=PATH_CHARACTERS_MAX)]
Id = Annotated[int, PathParameter(ge=1, le=ID_MAX)]
SmallId = Annotated[int, PathParameter(ge=1, le=SMALL_ID_MAX)]


class Page(Struct, Generic[T], frozen=True, kw_only=True):
    """Part of a list. `next` is the cursor of the following page, null at the end."""

    items: list[T]
    next: str | None


def encoded(key: object) -> str:
    """A cursor for a key."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def decoded(cursor: str | None, type_: type[Key], *, start: Key) -> Key:
    """The key in a cursor; `start` without one. Raises `BadInput` for one that is not ours."""
    if cursor is None:
        return start
    try:
        padded = cursor[:CURSOR_CHARACTERS_MAX] + "=" * (-len(cursor) % 4)
        key = msgspec.json.decode(base64.urlsafe_b64decode(padded), type=type_)
    except (binascii.Error, ValueError, msgspec.DecodeError):
        raise BadInput("this cursor is not one of ours") from None
    if isinstance(key, str) and "\x00" in key:
        raise BadInput("this cursor is not one of ours")
    return key


def id_in(cursor: str | None, *, start: int = 0, most: int = ID_MAX) -> int:
    """The id in a cursor. Raises `BadInput`."""
    found = decoded(cursor, int, start=start)
    if not 0 <= found <= most:
        raise BadInput("this cursor is not one of ours")
    return found


def page(rows: Sequence[T], limit: int, key: Callable[[T], object]) -> Page[T]:
    """A page of `limit` rows; one more than that must have been read to know whether it ends."""
    items = list(rows[:limit])
    more = len(rows) > limit
    return Page(items=items, next=encoded(key(items[-1])) if more else None)
