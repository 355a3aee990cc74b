"""What ends a command, in one line for people: never a traceback of ours, never a statement."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence

from inventory.errors import InventoryError

FAILED, ASKED_WRONGLY = 1, 2
HINT = "does the house run here? (hikiate up)"


def unreadable(arguments: Sequence[str]) -> str | None:
    """What is wrong with arguments that are no text; the shell hands such bytes on as they are."""
    for place, argument in enumerate(arguments, 1):
        try:
            argument.encode()
        except UnicodeEncodeError:
            return f"argument {place} is not text in UTF-8"
    return None


def said(error: Exception) -> tuple[str, int] | None:
    """The line for people and the exit code; None for what nobody foresaw."""
    if isinstance(error, InventoryError):
        return str(error), ASKED_WRONGLY
    if isinstance(error, (ConnectionError, TimeoutError, socket.gaierror)):
        return f"{str(error) or type(error).__name__}; {HINT}", FAILED
    if isinstance(error, OSError):
        # asyncio tells of several addresses that do not answer without a name for it.
        hint = "" if error.errno else f"; {HINT}"
        return f"{error}{hint}", FAILED
    return _of_database(error)


def _of_database(error: Exception) -> tuple[str, int] | None:
    import asyncpg

    from inventory.db import CONNECTION_LOST

    for cause in _causes(error):
        if isinstance(cause, (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError)):
            return "the database has not the schema of this version: run `hikiate migrate`", FAILED
        if isinstance(
            cause,
            asyncpg.InvalidAuthorizationSpecificationError
            | asyncpg.InvalidCatalogNameError
            | asyncpg.InsufficientPrivilegeError,
        ):
            return f"DATABASE_URL: {cause}", ASKED_WRONGLY
        if isinstance(cause, CONNECTION_LOST):
            return f"the database does not answer, or went away; {HINT}", FAILED
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was raised from: SQLAlchemy puts errors of its own around others'."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = getattr(found, "orig", None) or found.__cause__
