"""What an answer of RMS means: three shapes of errors, rows refused, and bodies nobody can read."""

from __future__ import annotations

import re
from typing import TypeVar

import httpx
import msgspec

from channels.base import (
    AuthExpired,
    BadAnswer,
    ChannelError,
    OutcomeUnknown,
    Rejected,
    RetryLater,
)
from channels.rakuten.wire import ErrorAnswer, Message, MessagesAnswer

ROW = re.compile(r"inventories\D{0,3}(\d{1,3})")
# Codes of the inventory functions that are about the call or the shop, not about rows.
WHOLE_CALL = frozenset({"GE0007", "GE0011", "IE1101", "IE1105"})
# The gateway's word for a wrong or expired key or a function not switched on.
AUTH = "ES04-01"
CONFLICT_SECONDS = 2.0
TEXT_MAX = 200

T = TypeVar("T")


class RowsRefused(Exception):
    """A write of numbers answered 400.

    `rows`: position → code, as far as the answer names rows (the form of `propertyPath` is
    UNCONFIRMED, so this is a hint and no verdict); `codes`: all codes, in the answer's order.
    """

    def __init__(self, rows: dict[int, str], codes: list[str]) -> None:
        super().__init__(f"{len(rows)} rows named, codes {', '.join(codes)}"[:TEXT_MAX])
        self.rows = rows
        self.codes = codes


def row_errors(function: str, response: httpx.Response, *, rows: int) -> Exception:
    """What a write of `rows` numbers that was not accepted should raise.

    409 (CE0001) is somebody else writing at the same moment: nothing was done, try again.
    """
    if response.status_code == httpx.codes.CONFLICT:
        return RetryLater(f"{function}: 409, somebody else is writing", seconds=CONFLICT_SECONDS)
    errors = error_of(response).errors
    if response.status_code != httpx.codes.BAD_REQUEST or not errors:
        return refusal(function, response)
    if WHOLE_CALL.intersection(error.code for error in errors):
        return refusal(function, response)
    named: dict[int, str] = {}
    for error in errors:
        match = ROW.search(str((error.metadata or {}).get("propertyPath", "")))
        if match and int(match[1]) < rows:
            named.setdefault(int(match[1]), error.code)
    return RowsRefused(named, [error.code for error in errors])


def refusal(function: str, response: httpx.Response) -> ChannelError:
    """What an answer other than 2xx should raise: `AuthExpired` for ES04-01, else `Rejected`."""
    codes = _codes(response)
    text = f"{function}: {response.status_code} {codes_of(response) or 'no code'}"
    return AuthExpired(text) if AUTH in codes else Rejected(text)


def codes_of(response: httpx.Response) -> str:
    """RMS's codes for what went wrong, in whichever shape; empty where there is none."""
    return ", ".join(_codes(response))[:TEXT_MAX]


def _codes(response: httpx.Response) -> list[str]:
    error = error_of(response)
    codes = [entry.message_code for entry in error.messages or []]
    codes += [entry.code for entry in error.errors or []]
    if error.results is not None:
        codes.append(error.results.error_code)
    return [code for code in codes if code]


def order_errors(function: str, response: httpx.Response, *, writes: bool) -> list[Message]:
    """The errors of an order function's answer, which come with 200 too, beside data or without.

    Raises `OutcomeUnknown` when what became of a write cannot be read, else `BadAnswer`.
    """
    try:
        messages = decoded(response, MessagesAnswer).messages or []
    except BadAnswer as error:
        raise (OutcomeUnknown(f"{function}: unreadable answer") if writes else error) from error
    if writes and not messages:
        raise OutcomeUnknown(f"{function}: an answer without a message")
    return [entry for entry in messages if entry.message_type == "ERROR"]


def error_of(response: httpx.Response) -> ErrorAnswer:
    """Whichever of the three shapes the body has; empty where it has none."""
    try:
        return msgspec.json.decode(response.content, type=ErrorAnswer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ErrorAnswer()


def decoded(response: httpx.Response, kind: type[T]) -> T:
    """The body as a struct. Raises BadAnswer."""
    try:
        return msgspec.json.decode(response.content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadAnswer(f"unreadable answer: {str(error)[:TEXT_MAX]}") from error
