"""What the desk does about cases and ended orders in our own books, without asking a channel."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Protocol

from inventory import oversells
from inventory.desk import (
    deadlines,
    endings,
    messages,
    part_choice,
    part_endings,
    spare_holds,
)

if TYPE_CHECKING:
    from channels.base import Adapter
    from inventory.clock import Clock
    from inventory.db import Database
    from inventory.inbox import Inbox
    from inventory.ledger import Ledger


class House(Protocol):
    """What the desk needs of a worker's runtime."""

    @property
    def clock(self) -> Clock:
        """The one clock."""
        ...

    @property
    def database(self) -> Database:
        """Connections to PostgreSQL."""
        ...

    @property
    def ledger(self) -> Ledger:
        """The one door to stock."""
        ...

    @property
    def inbox(self) -> Inbox:
        """Where what channels tell us is stored first."""
        ...

    async def adapter(self, channel_id: int) -> Adapter:
        """The adapter of a channel."""
        ...

    def lease(self, name: str) -> AbstractAsyncContextManager[bool]:
        """Hold a lease for the block; yields False when another worker holds it."""
        ...

    def ring(self, name: str, *args: Any) -> None:
        """Ring for a piece of work."""
        ...


async def tend(house: House) -> int:
    """Do the next thing about every open case; how many things were done."""
    done = 0
    async for case in _open_cases(house):
        done += await _give_holds_back(house, case)
        async with house.database.transaction() as session:
            done += await oversells.tend(session, case, house.clock.now())
    async with house.database.transaction() as session:
        done += await deadlines.tend(session, house.clock.now())
    return done


async def _open_cases(house: House) -> AsyncIterator[int]:
    """Every open case once, read page by page; none keeps the ones after it waiting for ever."""
    last = 0
    while True:
        async with house.database.sessions() as session:
            cases = await oversells.open_cases(session, after=last)
        for case in cases:
            yield case
        if not cases:
            return
        last = cases[-1]


async def _give_holds_back(house: House, case: int) -> int:
    """Give back the holds that a case may take; how many."""
    async with house.database.transaction() as session:
        spare = await spare_holds.begin(session, case, house.clock.now())
    if not spare:
        return 0
    await house.ledger.apply([each.release for each in spare])
    async with house.database.transaction() as session:
        return await spare_holds.note(session, case, house.clock.now())


async def observe(house: House) -> int:
    """Classify orders, and parts, that have ended and that are nobody's work yet; how many."""
    async with house.database.sessions() as session:
        order_ids = await endings.unseen(session)
        part_ids = await part_endings.unseen(session)
    done = 0
    for order_id in part_ids:
        async with house.database.transaction() as session:
            done += await part_endings.observe(session, order_id, house.clock.now())
    for order_id in order_ids:
        async with house.database.transaction() as session:
            done += await endings.observe(session, order_id, house.clock.now())
    return done


async def note_parts(house: House) -> int:
    """Note where only a part of an order is short; how many."""
    async with house.database.transaction() as session:
        return await part_choice.note(session, house.clock.now())


async def remind(house: House) -> int:
    """Remind of refunds that are due; how many."""
    async with house.database.transaction() as session:
        return await messages.remind(session, house.clock.now())
