"""What a team or a supplier is used by: it cannot be removed while something names it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import TextClause
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.errors import NotFound, WrongState

NAMED_MAX = 10


async def refuse_if_used(
    session: AsyncSession, used_by: TextClause, values: Mapping[str, Any], *, subject: str
) -> None:
    """Raise `WrongState` naming up to ten of what `used_by` finds, texts as `rule 3`."""
    found: Sequence[str] = (await session.scalars(used_by, dict(values))).all()
    if found:
        raise WrongState(f"{subject} is used by {_few(found)}")


def unknown(what: str, code: str, known: Sequence[str]) -> NotFound:
    """The error that says which there are, up to ten."""
    there_are = f"there are {_few(known)}" if known else "there is none yet"
    return NotFound(f"no {what} {code!r}: {there_are}")


def _few(names: Sequence[str]) -> str:
    more = " and more" if len(names) > NAMED_MAX else ""
    return ", ".join(names[:NAMED_MAX]) + more
