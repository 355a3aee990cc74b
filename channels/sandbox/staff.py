"""What a store's staff do on a marketplace's own screen: end an order with a reason they pick."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

from channels.sandbox.market import Order


class Cancels(Protocol):
    """Ends one order with the marketplace's own code; raises NotAllowed where it cannot be."""

    def __call__(self, ref: str, *, code: str) -> Order:
        """The order, ended."""
        ...


def cancel_actions(codes: Iterable[str], cancel: Cancels) -> dict[str, Callable[[str], Order]]:
    """An action `cancel-as-CODE` for every code that the screen offers."""
    return {f"cancel-as-{code}": partial(cancel, code=code) for code in sorted(codes)}
