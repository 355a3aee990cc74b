"""Which order of concurrent calls explains what was answered and what the books hold.

The ledger decides calls one after another, whatever batches they share and in whatever process:
a set of concurrent calls is right if and only if the model, told the calls in some order, gives the
same answers and the same books. Calls of one process are decided in the order in which they came.
A caller that went away may have left all of its facts, or none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from inventory import facts as f
from tests.ledger.machine import books
from tests.ledger.machine.model import Model
from tests.ledger.machine.state import Answer


class Asked(Struct, kw_only=True):
    """One call. `answers` None: its caller went away before it heard."""

    process: int
    facts: Sequence[f.Fact]
    together: bool = False
    answers: list[Answer] | None = None


def explain(
    model: Model, calls: Sequence[Asked], found: dict[str, Any], now: datetime
) -> Model | None:
    """The model after an order of calls that explains what was found; None where no order does."""
    for told in _orders(model, list(calls), now):
        expected = books.of(told.state)
        same = not books.differences(_without_cases(found), _without_cases(expected))
        if same and _take_cases(model, told, found["cases"] or []):
            return told
    return None


def _orders(model: Model, calls: list[Asked], now: datetime) -> Iterator[Model]:
    """The model after each order of calls that gives the answers that were heard."""
    if not calls:
        yield model
        return
    first_of: set[int] = set()
    for number, call in enumerate(calls):
        if call.process in first_of:
            continue
        first_of.add(call.process)
        rest = calls[:number] + calls[number + 1 :]
        told = model.copy()
        answers = told.apply(call.facts, now, together=call.together)
        if call.answers is None or answers == call.answers:
            yield from _orders(told, rest, now)
        if call.answers is None:
            yield from _orders(model, rest, now)


def _without_cases(rows: dict[str, Any]) -> dict[str, Any]:
    return {subject: found for subject, found in rows.items() if subject != "cases"}


def _take_cases(before: Model, after: Model, found: list[tuple[str, int, int]]) -> bool:
    """The shortage now is the model's; the worst is seen at the end of commits that we do not know.

    It is at least what it was, and what it is now, and never more than after any one call.
    """
    cases = {sku: (short, worst) for sku, short, worst in found}
    for sku, (short, worst) in after.state.cases.items():
        least = max(before.state.cases.get(sku, (0, 0))[1], short)
        if sku not in cases:
            if least:
                return False
            continue
        if cases[sku][0] != short or not least <= cases[sku][1] <= worst:
            return False
    if cases.keys() - after.state.cases.keys():
        return False
    after.state.cases = cases
    return True
