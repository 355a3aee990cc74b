"""Who is asking: the purpose of a call decides what it may spend and who goes first."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Purpose(StrEnum):
    """What a call to a channel is for.

    `zero` and `cancel` are urgent: they go first and may spend what is kept for them. `background`
    (reconcile, discovery, a whole resync) goes last and is the first to be stretched, then `pull`.
    """

    ZERO = "zero"
    CANCEL = "cancel"
    NUMBER = "number"
    READ_BACK = "read_back"
    PULL = "pull"
    BACKGROUND = "background"

    @property
    def urgent(self) -> bool:
        """Whether it may spend what is kept for urgent work."""
        return self in {Purpose.ZERO, Purpose.CANCEL}

    @property
    def rank(self) -> int:
        """Whose turn comes first at the same bucket; 0 is the first."""
        if self.urgent:
            return 0
        return 2 if self is Purpose.BACKGROUND else 1


_ASKING: ContextVar[Purpose] = ContextVar("asking", default=Purpose.NUMBER)


def current() -> Purpose:
    """The purpose of what this task does; `number` where nobody said."""
    return _ASKING.get()


@contextmanager
def asking(purpose: Purpose) -> Iterator[None]:
    """Every call made inside, also by tasks begun inside, is for this purpose."""
    token = _ASKING.set(purpose)
    try:
        yield
    finally:
        _ASKING.reset(token)


def asks(
    purpose: Purpose,
) -> Callable[[Callable[P, Coroutine[Any, Any, T]]], Callable[P, Coroutine[Any, Any, T]]]:
    """Make every call of an async function be for this purpose."""

    def wrap(work: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        @wraps(work)
        async def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
            with asking(purpose):
                return await work(*args, **kwargs)

        return wrapped

    return wrap
