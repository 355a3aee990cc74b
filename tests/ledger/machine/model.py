"""The model: the same facts told to a warehouse in plain Python, one at a time."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from inventory import facts as f
from tests.ledger.machine import goods, sales
from tests.ledger.machine.state import NO_TIME, Answer, Catalogue, Refused, State

QUANTITY_MAX = 1_000_000
AHEAD = timedelta(minutes=1)
UNBOOKED = frozenset({"refused", "conflict"})
CONFLICT = Answer("conflict", "content_differs")
BAD = Answer("refused", "bad_input")
NOT_TOGETHER = Answer("refused", "not_together")


class Model:
    """What the ledger should answer, and hold afterwards."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.state = State(catalogue)

    def copy(self) -> Model:
        """One to try something on. What facts do not change is shared."""
        state = self.state
        shared: dict[int, Any] = {
            id(state.catalogue): state.catalogue,
            id(state.names): dict(state.names),
        }
        other = Model(state.catalogue)
        other.state = copy.deepcopy(state, shared)
        return other

    def apply(
        self, facts: Sequence[f.Fact], now: datetime, *, together: bool = False
    ) -> list[Answer]:
        """The answers to the facts of one call."""
        answers = self._apply(facts, now, together=together)
        self.state.close_books()
        return answers

    def _apply(self, facts: Sequence[f.Fact], now: datetime, *, together: bool) -> list[Answer]:
        before = self.copy().state if together else self.state
        answers = [self._tell(fact, now) for fact in facts]
        if not together or not any(answer.status in UNBOOKED for answer in answers):
            return answers
        self.state = before
        return [
            answer if answer.status in UNBOOKED or self._is_known(fact) else NOT_TOGETHER
            for fact, answer in zip(facts, answers, strict=True)
        ]

    def _is_known(self, fact: f.Fact) -> bool:
        if isinstance(fact, f.OrderObserved):
            return False
        return (fact.channel_id, fact.fact_ref) in self.state.names

    def _tell(self, fact: f.Fact, now: datetime) -> Answer:
        if is_bad(fact):
            return BAD
        if isinstance(fact, f.OrderObserved):
            return self._observe(fact)
        name = (fact.channel_id, fact.fact_ref)
        content = msgspec.structs.replace(fact, occurred_at=NO_TIME)
        if name in self.state.names:
            first, answer = self.state.names[name]
            return answer._replace(repeated=True) if first == content else CONFLICT
        try:
            answer = self._decide(fact, now)
        except Refused as refusal:
            return Answer("refused", str(refusal))
        self.state.names[name] = (content, answer)
        return answer

    def _decide(self, fact: f.Fact, now: datetime) -> Answer:
        if isinstance(fact, f.StockCounted):
            return goods.count(self.state, fact, now, AHEAD)
        tell: Any = (sales.TELL | goods.TELL)[type(fact)]
        answer: Answer = tell(self.state, fact)
        return answer

    def _observe(self, fact: f.OrderObserved) -> Answer:
        try:
            answer = sales.observe(self.state, fact)
        except Refused as refusal:
            return Answer("refused", str(refusal))
        if answer.status == "recorded":
            ref = fact.order.order_ref
            revision = self.state.orders[fact.channel_id, ref].revision
            self.state.names[fact.channel_id, f"{ref}@{revision}"] = (fact, answer)
        return answer


def is_bad(fact: f.Fact) -> bool:
    """Whether a fact is wrong in itself: nothing here draws more than quantities and names."""
    match fact:
        case f.StockAdjusted():
            return (fact.change is None) == (fact.on_hand is None)
        case f.SaleReceived() | f.ReservationAsked():
            refs = [line.line_ref for line in fact.lines]
            return not refs or len(set(refs)) < len(refs) or any(map(_wrong, fact.lines))
        case f.CancellationReceived() | f.ShipmentSeen():
            return any(map(_wrong, fact.lines))
        case f.TransferArrived():
            return fact.quantity + fact.missing == 0
        case f.StockCounted() | f.OrderObserved() | f.SupplyEnded() | f.ReservationReleased():
            return False
        case _:
            return _wrong(fact)


def _wrong(told: Any) -> bool:
    return not 1 <= told.quantity <= QUANTITY_MAX


def answer_of(outcome: f.Outcome) -> Answer:
    """What is compared of an outcome."""
    return Answer(outcome.status.value, outcome.code, outcome.repeated)
