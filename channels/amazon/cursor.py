"""Where an Amazon order pull goes on: the search's place, and the notices to be deleted."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

# A page token dies after 24 hours (Orders API 2026-01-01, paginationToken).
TOKEN_LIFE = timedelta(hours=23)


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A notice received and not dealt with: which order changed, and when.

    `asked`: the buyer asks to cancel. `receipt` deletes the message, `name` is the notice's own.
    """

    order_ref: str
    receipt: str
    name: str
    at: datetime
    asked: bool = False


class Cursor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the next pull goes on.

    `watermark`: complete up to here. `token`, `after`, `asked_at` and `until` belong to a search
    that ran out of budget between two pages: the next page's token, its question's beginning,
    when that was first asked, and the watermark that its last page will earn. `waiting` are listed
    orders whose items could not be read yet, as they stood at `waiting_as_of` (Orders API v0).

    `pulled_at` and `searched_at` pace the search where a queue tells of changes. `receipts` are
    the queue's messages that the pull which made this cursor stored: the next pull deletes them.
    `pending` are notices whose orders are still to be read, `noticed` the names of the last ones
    dealt with, so that a repeat is not read again.
    """

    watermark: datetime | None = None
    token: str | None = None
    after: str | None = None
    asked_at: datetime | None = None
    until: datetime | None = None
    waiting: tuple[dict[str, Any], ...] = ()
    waiting_as_of: datetime | None = None
    pulled_at: datetime | None = None
    searched_at: datetime | None = None
    receipts: tuple[str, ...] = ()
    pending: tuple[Told, ...] = ()
    noticed: tuple[str, ...] = ()

    def searching(self) -> bool:
        """Whether a search stopped in the middle."""
        return self.token is not None or bool(self.waiting)


def read(cursor: dict[str, Any], *, now: datetime) -> Cursor:
    """The cursor as stored; a search that stopped too long ago begins anew."""
    at = msgspec.convert(cursor, Cursor)
    fresh = at.asked_at is not None and now - at.asked_at <= TOKEN_LIFE
    if at.searching() and not fresh:
        return begun_anew(at)
    return at


def begun_anew(at: Cursor) -> Cursor:
    """The same cursor without a search in the middle of its pages."""
    return msgspec.structs.replace(
        at,
        token=None,
        after=None,
        asked_at=None,
        until=None,
        waiting=(),
        waiting_as_of=None,
    )


def written(at: Cursor) -> dict[str, Any]:
    """The cursor as JSON."""
    told: dict[str, Any] = msgspec.to_builtins(at)
    return told
