"""Errors on the wire: the only place that knows both our errors and HTTP (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi.datastructures import ResponseSpec
from msgspec import UNSET, Struct, UnsetType
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from inventory.db import CONNECTION_LOST
from inventory.errors import InventoryError, TooBusy
from inventory.fields import plain, shortened

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"
ERRORS_MAX = 20
WHERE_CHARACTERS_MAX = 100
SERVER_ERROR = 500
BUSY = 429
UNREACHABLE = 503

# code → status and title. A code never changes its meaning; the detail is for people.
CODES: Mapping[str, tuple[int, str]] = {
    "bad_input": (400, "The request cannot be understood or is outside the limits"),
    "address_refused": (400, "This address may not be reached"),
    "same_location": (400, "Both locations are the same"),
    "unauthenticated": (401, "A key is needed"),
    "notice_forged": (401, "The notice does not bear its channel's proof"),
    "not_permitted": (403, "The key may not do this"),
    "not_found": (404, "There is no such thing"),
    "unknown_sku": (404, "There is no such SKU"),
    "unknown_location": (404, "There is no such location"),
    "unknown_listing": (404, "The channel has no such listing"),
    "unknown_reservation": (404, "There is no such reservation"),
    "unknown_transfer": (404, "There is no such transfer"),
    "unknown_supply": (404, "There is no such expected supply"),
    "unknown_count": (404, "There is no such count that waits for a recount"),
    "method_not_allowed": (405, "This address does not take that method"),
    "already_exists": (409, "It is there already"),
    "content_differs": (409, "The name was used before for something else"),
    "insufficient_stock": (409, "Fewer units can be promised than were asked for"),
    "too_many": (409, "A balance or a line would leave the range of its column"),
    "not_together": (409, "Another line of the call was refused"),
    "kit_has_no_stock": (409, "A kit has no stock of its own"),
    "wrong_supply": (409, "The expected supply does not allow this"),
    "counted_later": (409, "A later count was applied already"),
    "location_sellable": (409, "Damaged units go to a location that is not sellable"),
    "on_hand_below_zero": (409, "On hand cannot fall below zero"),
    "reason_refused": (409, "This would not be the true reason"),
    "wrong_state": (409, "This cannot be done in its present state"),
    "too_large": (413, "The request is too large"),
    "unsupported_media_type": (415, "Send JSON"),
    "too_busy": (429, "Too much is waiting; come back later"),
    "internal_error": (500, "Something went wrong here"),
    "setting_wrong": (500, "A setting is wrong"),
    "secret_unreadable": (500, "A stored secret cannot be read"),
    "unavailable": (503, "The database cannot be reached"),
    "ledger_unavailable": (503, "The ledger cannot be reached; tell the same again"),
}
CODE_OF_STATUS = {
    400: "bad_input",
    401: "unauthenticated",
    403: "not_permitted",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
}
UNAVAILABLE = (*CONNECTION_LOST, PoolTimeout)


class WrongPart(Struct, frozen=True, kw_only=True):
    """One part of a request that is wrong, where it stands, and why it was refused if it was."""

    message: str
    where: str
    code: str | UnsetType = UNSET


class Problem(Struct, frozen=True, kw_only=True):
    """What went wrong. `code` is stable; `instance` names this request in our logs."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    instance: str | UnsetType = UNSET
    errors: tuple[WrongPart, ...] | UnsetType = UNSET


class Refused(InventoryError):
    """The ledger refused a request; `code` says why."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class NotTogether(InventoryError):
    """Of what belongs together something was refused; `errors` names each part of it."""

    code = "not_together"

    def __init__(self, errors: tuple[WrongPart, ...]) -> None:
        super().__init__(f"{len(errors)} of them cannot be recorded, so none was")
        self.errors = errors


def problems(*statuses: int) -> dict[int, ResponseSpec]:
    """The problems that a handler may answer with, beside those that every handler may."""
    return {
        status: ResponseSpec(
            data_container=Problem,
            description="Problem: " + ", ".join(_codes_of(status)),
            media_type=MEDIA_TYPE,
            generate_examples=False,
        )
        for status in (400, 401, 403, *statuses)
    }


def _codes_of(status: int) -> list[str]:
    return [code for code, (its_status, _) in CODES.items() if its_status == status]


def answer(
    request: Request[Any, Any, Any],
    code: str,
    detail: str,
    *,
    errors: tuple[WrongPart, ...] = (),
    retry_seconds: int = 1,
) -> Response[Problem]:
    """The answer for one code."""
    status, title = CODES[code]
    request_id = request.scope.get("state", {}).get("request_id")
    headers = {"WWW-Authenticate": "Bearer"} if code == "unauthenticated" else {}
    if status in {BUSY, UNREACHABLE}:
        headers["Retry-After"] = str(retry_seconds)
    return Response(
        Problem(
            type=f"urn:hikiate:problem:{code}",
            title=title,
            status=status,
            code=code,
            detail=detail,
            instance=f"urn:uuid:{request_id}" if request_id else UNSET,
            errors=errors or UNSET,
        ),
        status_code=status,
        media_type=MEDIA_TYPE,
        headers=headers,
    )


def of_inventory(request: Request[Any, Any, Any], error: InventoryError) -> Response[Problem]:
    """A domain error. One whose code is not in the table is our own mistake."""
    if error.code not in CODES:
        return of_anything(request, error)
    if CODES[error.code][0] >= SERVER_ERROR:
        log.error("request_failed", code=error.code, detail=str(error))
    seconds = error.retry_seconds if isinstance(error, TooBusy) else 1
    errors = error.errors if isinstance(error, NotTogether) else ()
    return answer(request, error.code, str(error), errors=errors, retry_seconds=seconds)


def of_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    """An error of the framework: no such route, wrong method, malformed or invalid body."""
    if error.status_code >= SERVER_ERROR:
        return of_anything(request, error)
    code = CODE_OF_STATUS.get(error.status_code, "bad_input")
    if isinstance(error, ValidationException):
        return answer(request, code, "the request is not valid", errors=_wrong_parts(error))
    told = answer(request, code, _DETAILS.get(code, "the body cannot be read as JSON"))
    # Whoever took a wrong method is owed the right ones (RFC 9110, 15.5.6).
    if error.headers and "allow" in error.headers:
        told.headers["Allow"] = error.headers["allow"]
    return told


_DETAILS = {
    "not_found": "there is nothing at this address",
    "method_not_allowed": "this address does not take that method",
    "too_large": "a request may have up to 1,000,000 bytes",
}


def _wrong_parts(error: ValidationException) -> tuple[WrongPart, ...]:
    parts = error.extra if isinstance(error.extra, list) else []
    return tuple(_wrong_part(part) for part in parts[:ERRORS_MAX] if isinstance(part, dict))


def _wrong_part(part: dict[str, Any]) -> WrongPart:
    source = str(getattr(part.get("source"), "value", part.get("source", "")))
    where = ".".join(text for text in (source, part.get("key")) if text)
    where, message = shortened(where, WHERE_CHARACTERS_MAX), plain(str(part.get("message", "")))
    if where == "body.data":
        known = message if message.startswith("Object ") else "a JSON body is needed"
        return WrongPart(message=known, where="body")
    return WrongPart(message=message, where=where)


def of_database(request: Request[Any, Any, Any], error: DBAPIError) -> Response[Problem]:
    """The database refused or was not there; only the second is worth a retry."""
    # SQLAlchemy puts an error of its own around the driver's.
    causes = (error.orig, getattr(error.orig, "__cause__", None))
    if error.connection_invalidated or any(isinstance(cause, UNAVAILABLE) for cause in causes):
        return of_unavailable(request, error)
    return of_anything(request, error)


def of_unavailable(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """PostgreSQL cannot be reached; nothing was acknowledged, the caller may try again."""
    log.error("database_unavailable", error=type(error).__name__)
    return answer(request, "unavailable", "the database cannot be reached; try again")


def of_too_deep(request: Request[Any, Any, Any], _: RecursionError) -> Response[Problem]:
    """JSON within JSON beyond what can be read; nothing else here goes deep."""
    return answer(request, "bad_input", "the body is nested too deeply")


def of_wrong_bytes(request: Request[Any, Any, Any], _: UnicodeDecodeError) -> Response[Problem]:
    """A body with bytes that are no text; nothing else here is decoded."""
    return answer(request, "bad_input", "the body is not text in UTF-8")


def of_anything(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """What nobody foresaw: logged with the request's id, and shown without internals."""
    log.error("request_crashed", exc_info=error)
    return answer(request, "internal_error", "this was logged; the instance names it")


HANDLERS: dict[int | type[Exception], Any] = {
    InventoryError: of_inventory,
    HTTPException: of_http,
    DBAPIError: of_database,
    **dict.fromkeys(UNAVAILABLE, of_unavailable),
    RecursionError: of_too_deep,
    UnicodeDecodeError: of_wrong_bytes,
    Exception: of_anything,
}
