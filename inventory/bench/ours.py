"""Our way in process: every caller hands its hold to the ledger, which combines them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from inventory.bench.place import Place
from inventory.bench.scenarios import Basket
from inventory.clock import Clock
from inventory.db import Database
from inventory.facts import Outcome, ReservationAsked, SaleLine, Status
from inventory.ledger import Ledger

KEPT_MAX = 500


class Till:
    """Where callers are served; keeps some facts and their answers, to tell them again."""

    def __init__(self, place: Place, ledger: Ledger) -> None:
        self.kept: list[tuple[ReservationAsked, Outcome]] = []
        self._place = place
        self._ledger = ledger
        self._clock = Clock()

    async def sell(self, ref: str, basket: Basket) -> bool:
        """Ask for one unit of each SKU of a basket; whether it was granted."""
        codes = self._place.codes
        fact = ReservationAsked(
            channel_id=self._place.channel_id,
            fact_ref=ref,
            occurred_at=self._clock.now(),
            lines=tuple(
                [
                    SaleLine(line_ref=str(line), sku=codes[number], quantity=1)
                    for line, number in enumerate(basket)
                ]
            ),
        )
        [outcome] = await self._ledger.apply([fact])
        if len(self.kept) < KEPT_MAX:
            self.kept.append((fact, outcome))
        return outcome.status is Status.GRANTED

    async def tell_again(self) -> list[str]:
        """Tell what was granted a second time, all at once; each answer that is not the first."""
        granted = [(fact, first) for fact, first in self.kept if first.status is Status.GRANTED]
        answers = await asyncio.gather(*(self._ledger.apply([fact]) for fact, _ in granted))
        return [
            f"{fact.fact_ref} was {first.status}, and told again {again.status}"
            for (fact, first), [again] in zip(granted, answers, strict=True)
            if not again.repeated or again.status is not first.status
        ]


@asynccontextmanager
async def ours(place: Place) -> AsyncIterator[Till]:
    """The ledger on connections of its own, as a process of the house has them."""
    database = Database(place.url)
    try:
        yield Till(place, Ledger(database, Clock()))
    finally:
        await database.aclose()
