"""Columns of values as PostgreSQL writes an array, in one text.

The driver looks at every element of a list, for lists within it, which takes longer than all else
that is done in Python for a sale. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def literal(values: Sequence[object]) -> str:
    """Numbers and plain words of letters and `_`; None is NULL."""
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def shortest(values: Sequence[T]) -> Sequence[T]:
    """The values, or one of them where they are all the same."""
    return values[:1] if values and values.count(values[0]) == len(values) else values


def known(values: Sequence[T | None]) -> Sequence[T | None]:
    """The values, or none where all are None."""
    return [] if values.count(None) == len(values) else values


def quoted(values: Sequence[str | None]) -> str:
    """Any texts; None is NULL."""
    return "{" + ",".join(map(_quote, values)) + "}"


def _quote(value: str | None) -> str:
    if value is None:
        return "NULL"
    if "\\" in value or '"' in value:
        value = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{value}"'
