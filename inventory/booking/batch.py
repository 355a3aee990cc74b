"""The facts of one commit, decided in order of arrival on one page. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import get_args

import msgspec

from inventory.booking.decisions import decide
from inventory.booking.ledger_read import Known
from inventory.booking.ledger_write import Entry
from inventory.booking.page import Page, Refusal
from inventory.booking.soundness import Told
from inventory.booking.undo import Savepoint
from inventory.errors import BadInput
from inventory.facts import (
    GRANTED,
    RECORDED,
    Fact,
    OrderObserved,
    Outcome,
    Status,
    SupplyEnded,
    SupplyExpected,
)

NOTHING_NEW = frozenset({Status.UNCHANGED, Status.OUTDATED})
NOT_BOOKED = frozenset({Status.REFUSED, Status.CONFLICT})
# Each fact's word in the table of facts.
KIND = {kind: str(kind.__struct_config__.tag) for kind in get_args(Fact)}
NOT_TOGETHER = Outcome(
    status=Status.REFUSED, code="not_together", detail="another line of the call was refused"
)


class Batch:
    """What the facts of one commit did, ready to be written.

    `next_id` gives a fact id that was never used.
    """

    def __init__(self, page: Page, known: Known, next_id: Callable[[], int]) -> None:
        self.page = page
        self.entries: list[Entry] = []
        self.causes: dict[int, int] = {}
        self._known = known
        self._next_id = next_id

    def take(self, facts: Sequence[Told], *, together: bool = False) -> list[Outcome]:
        """Decide the facts of one caller; `together` all of them or none.

        Where they belong together and one cannot be booked, the others are refused with the code
        `not_together`; one that was booked before this call is answered as it was then.
        """
        if not together:
            return [self._take(fact) for fact in facts]
        saved = Savepoint(self.page, [told.fact for told in facts if told.problem is None])
        known = dict(self._known)
        entries, causes = len(self.entries), dict(self.causes)
        outcomes = [self._take(fact) for fact in facts]
        if not any(outcome.status in NOT_BOOKED for outcome in outcomes):
            return outcomes
        saved.restore()
        self._known, self.causes = known, causes
        del self.entries[entries:]
        return [self._undone(*pair) for pair in zip(facts, outcomes, strict=True)]

    def _undone(self, told: Told, outcome: Outcome) -> Outcome:
        fact = told.fact
        if outcome.status in NOT_BOOKED:
            return outcome
        if not isinstance(fact, OrderObserved) and (fact.channel_id, fact.fact_ref) in self._known:
            return outcome
        return NOT_TOGETHER

    def _take(self, told: Told) -> Outcome:
        """Decide one fact; its name decides first (L4)."""
        fact, hash_ = told.fact, told.content_hash
        if told.problem is not None:
            return Outcome(status=Status.REFUSED, code=BadInput.code, detail=told.problem)
        book = self.page.book
        if isinstance(fact, OrderObserved):
            book.occurred_at = fact.order.observed_at
        else:
            before = self._known.get((fact.channel_id, fact.fact_ref))
            if before is not None:
                return self._repeat(before, hash_)
            book.occurred_at = fact.occurred_at
        first = len(book.movements)
        book.fact_id = self._next_id()
        try:
            outcome = decide(self.page, fact)
        except Refusal as refusal:
            return Outcome(status=Status.REFUSED, code=refusal.code, detail=str(refusal))
        if outcome.status not in NOTHING_NEW:
            self._record(fact, hash_, outcome, first)
        return outcome

    def _record(self, fact: Fact, hash_: int, outcome: Outcome, first: int) -> None:
        page = self.page
        fact_id = page.book.fact_id
        if isinstance(fact, OrderObserved):
            order = page.changes.orders[fact.channel_id, fact.order.order_ref]
            fact_ref = f"{order.order_ref}@{order.revision}"
        else:
            fact_ref = fact.fact_ref
        self._known[fact.channel_id, fact_ref] = (hash_, outcome)
        silent = outcome is RECORDED or outcome is GRANTED
        said = None if silent else msgspec.json.encode(outcome).decode()
        kind = KIND[type(fact)]
        self.entries.append(Entry(fact_id, hash_, fact.channel_id, kind, fact_ref, said))
        # What was granted was there: it makes nothing short.
        if outcome is not GRANTED:
            for movement in page.book.movements[first:]:
                if movement.on_hand_delta < movement.reserved_delta:
                    self._judge(movement.sku_id, fact_id)
        if isinstance(fact, (SupplyExpected, SupplyEnded)):
            self._judge(page.changes.supplies[fact.supply_ref].sku_id, fact_id)

    def _judge(self, sku_id: int, fact_id: int) -> None:
        if sku_id not in self.causes and self.page.shortage(sku_id):
            self.causes[sku_id] = fact_id

    @staticmethod
    def _repeat(before: tuple[int, Outcome], hash_: int) -> Outcome:
        first_hash, first = before
        if first_hash != hash_:
            return Outcome(
                status=Status.CONFLICT,
                code="content_differs",
                detail="this name was used before with other content",
            )
        return msgspec.structs.replace(first, repeated=True)
