"""The one door to stock: facts in, outcomes out (L2).

`apply` owns its transaction: it locks the orders and balances concerned in one fixed order (orders
by channel and ref, then balances by SKU and location), reads the names used before, decides in
memory in order of arrival, writes everything set-based and commits once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import asyncpg
import msgspec

from inventory import ledger_read, ledger_write
from inventory.book import Movement
from inventory.clock import Clock
from inventory.db import Database
from inventory.decisions import Page, Refusal, decide
from inventory.errors import BadInput
from inventory.facts import (
    FACTS_MAX,
    QUANTITY_MAX,
    Fact,
    OrderObserved,
    Outcome,
    ReservationAsked,
    ReturnAccepted,
    SaleReceived,
    Status,
    StockAdjusted,
    StockReceived,
    StockTransferred,
    content_hash,
)

if TYPE_CHECKING:
    from datetime import datetime

    from inventory.db import Connection

RACES_MAX = 5
PRICE_MAX = 1_000_000_000


class Ledger:
    """All writing to stock goes through `apply`; reading is free (see `reports`)."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def apply(self, facts: Sequence[Fact]) -> list[Outcome]:
        """Record up to 1,000 facts in one commit; one outcome each, in the same order.

        A fact that cannot be booked is refused alone (its outcome says why) and leaves no name
        behind; the others stand. Raises `BadInput` for more than 1,000 facts.
        """
        if len(facts) > FACTS_MAX:
            raise BadInput(f"at most {FACTS_MAX} facts at once, got {len(facts)}")
        if not facts:
            return []
        try:
            return await self._recorded(facts)
        except asyncpg.DataError as error:
            # A balance or a line would leave the range of its column; which fact it is shows
            # when each is booked by itself.
            if len(facts) == 1:
                return [Outcome(status=Status.REFUSED, code="too_many", detail=str(error))]
        return [outcome for fact in facts for outcome in await self.apply([fact])]

    async def _recorded(self, facts: Sequence[Fact]) -> list[Outcome]:
        pool = await self._database.pool()
        # Another process may make the same order or balance row, or use the same name, between
        # our read and our write; the unique keys tell, and the second look then sees its row.
        # Where a lock of somebody else's runs across ours, PostgreSQL undoes one of the two.
        for _ in range(RACES_MAX):
            try:
                async with pool.acquire() as connection, connection.transaction():
                    return await _commit(connection, facts, self._clock.now())
            except (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError) as error:
                race = error
        raise race


class Batch:
    """The facts of one commit with what they did, ready to be written."""

    def __init__(self, page: Page, known: dict[tuple[int, str], tuple[bytes, Outcome]]) -> None:
        self.page = page
        self.known = known
        self.recorded: list[ledger_write.Entry] = []
        self.causes: dict[int, int] = {}

    def take(self, fact: Fact) -> Outcome:
        """Decide one fact; its name decides first (L4)."""
        problem = _problem(fact)
        if problem is not None:
            return Outcome(status=Status.REFUSED, code=BadInput.code, detail=problem)
        hash_ = content_hash(fact)
        if not isinstance(fact, OrderObserved):
            before = self.known.get((fact.channel_id, fact.fact_ref))
            if before is not None:
                return _repeat(before, hash_)
        try:
            outcome, movements = decide(self.page, fact)
        except Refusal as refusal:
            return Outcome(status=Status.REFUSED, code=refusal.code, detail=str(refusal))
        if outcome.status in {Status.UNCHANGED, Status.OUTDATED}:
            return outcome
        self._record(fact, hash_, outcome, movements)
        return outcome

    def _record(
        self, fact: Fact, hash_: bytes, outcome: Outcome, movements: list[Movement]
    ) -> None:
        fact_ref, occurred_at = self._name(fact)
        self.known[fact.channel_id, fact_ref] = (hash_, outcome)
        entry = ledger_write.Entry(
            channel_id=fact.channel_id,
            fact_ref=fact_ref,
            kind=str(type(fact).__struct_config__.tag),
            content_hash=hash_,
            outcome=msgspec.json.encode(outcome).decode(),
            occurred_at=occurred_at,
            movements=movements,
        )
        self.recorded.append(entry)
        for movement in movements:
            if movement.sku_id not in self.causes and self.shortage(movement.sku_id):
                self.causes[movement.sku_id] = len(self.recorded) - 1

    def _name(self, fact: Fact) -> tuple[str, datetime]:
        if not isinstance(fact, OrderObserved):
            return fact.fact_ref, fact.occurred_at
        order = self.page.orders[fact.channel_id, fact.order.order_ref]
        happened = fact.order.ordered_at if order.revision == 1 else fact.order.observed_at
        return f"{order.order_ref}@{order.revision}", happened

    def shortage(self, sku_id: int) -> int:
        """The most units that any pool of locations promises beyond what it holds."""
        pools = {self.page.sellable, *self.page.pools.values()}
        return max(self.page.book.shortage(sku_id, pool) for pool in pools)


def _repeat(before: tuple[bytes, Outcome], hash_: bytes) -> Outcome:
    first_hash, first = before
    if first_hash != hash_:
        return Outcome(
            status=Status.CONFLICT,
            code="content_differs",
            detail="this name was used before with other content",
        )
    return msgspec.structs.replace(first, repeated=True)


async def _commit(connection: Connection, facts: Sequence[Fact], now: datetime) -> list[Outcome]:
    page = await ledger_read.read_page(connection, facts, now)
    known = await ledger_read.read_names(connection, facts)
    batch = Batch(page, known)
    outcomes = [batch.take(fact) for fact in facts]
    if batch.recorded:
        shortages = {sku_id: batch.shortage(sku_id) for sku_id, _ in page.book.touched}
        await ledger_write.write(
            connection, page, batch.recorded, shortages=shortages, causes=batch.causes
        )
    return outcomes


def _problem(fact: Fact) -> str | None:
    """What is wrong with a fact as such, whatever the stock."""
    match fact:
        case SaleReceived() | ReservationAsked():
            quantities = [line.quantity for line in fact.lines]
            if not fact.lines or len({line.line_ref for line in fact.lines}) < len(fact.lines):
                return "an order has at least one line and each line_ref once"
        case OrderObserved():
            if any((line.unit_price or 0) > PRICE_MAX for line in fact.order.lines):
                return f"a price is at most {PRICE_MAX} yen"
            if len({line.line_ref for line in fact.order.lines}) < len(fact.order.lines):
                return "an order has each line_ref once"
            quantities = [
                1 + units
                for line in fact.order.lines
                for units in (line.quantity, line.cancelled, line.shipped)
            ]
        case StockReceived() | StockTransferred() | ReturnAccepted():
            quantities = [fact.quantity]
        case StockAdjusted():
            if (fact.change is None) == (fact.on_hand is None):
                return "give either change or on_hand"
            quantities = [1 + (abs(fact.change or 0) if fact.on_hand is None else fact.on_hand)]
        case _:
            quantities = [line.quantity for line in getattr(fact, "lines", ())]
    if any(not 1 <= quantity <= QUANTITY_MAX for quantity in quantities):
        return f"a quantity must be from 1 to {QUANTITY_MAX}"
    return None
