"""The one door to stock: facts in, outcomes out (L2).

`apply` owns its transaction. Concurrent calls are combined: a batch locks the orders and balances
concerned in one fixed order, reads the names used before, decides in memory in order of arrival,
writes everything set-based and commits once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import asyncpg

from inventory.booking import ledger_read, ledger_write
from inventory.booking.batch import Batch
from inventory.booking.page import Page
from inventory.booking.recall import Named, Recall
from inventory.booking.soundness import look_at
from inventory.clock import Clock
from inventory.combiner import Call, Combiner
from inventory.db import CONNECTION_LOST, Database
from inventory.errors import BadInput, LedgerUnavailable
from inventory.facts import FACTS_MAX, Fact, Outcome, Status

if TYPE_CHECKING:
    from inventory.db import Connection

BATCH_MAX = 2_000
RACES_MAX = 5
LOST_SECONDS_MAX = 10.0
LOST_PAUSE_SECONDS = 0.1
# Ids are handed out in blocks of this size by the database's sequence, some blocks at a time.
ID_BLOCK = 100
ID_BLOCKS_MAX = 20

Answers = list[list[Outcome] | Exception]
# What a fact can be at fault for: a number out of range, a text PostgreSQL cannot hold, a channel
# that is not there.
REFUSABLE = (asyncpg.DataError, asyncpg.ForeignKeyViolationError)


class Ledger:
    """All writing to stock goes through `apply`; reading is free (see `reports`, `history`)."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._ids: deque[int] = deque()
        self._recall = Recall()
        self.combiner = Combiner(self._commit_calls, facts_max=BATCH_MAX)

    async def apply(self, facts: Sequence[Fact], *, together: bool = False) -> list[Outcome]:
        """Record up to 1,000 facts in one commit; one outcome each, in the same order.

        A fact that cannot be booked is refused alone (its outcome says why) and leaves no name
        behind; the others stand, unless they belong `together`: then none is booked. Calls at the
        same time share a commit. Raises `BadInput` for more than 1,000 facts, `TooBusy` when too
        many wait, `LedgerUnavailable` when the database could not be reached or left it open
        whether it had committed: tell the same facts again, the names say what was recorded.
        """
        if len(facts) > FACTS_MAX:
            raise BadInput(f"at most {FACTS_MAX} facts at once, got {len(facts)}")
        if not facts:
            return []
        # While another batch commits there is time for what needs no lock.
        return await self.combiner.submit([look_at(fact) for fact in facts], together=together)

    async def _commit_calls(self, calls: Sequence[Call]) -> Answers:
        try:
            return list(await self._committed(calls))
        except (*REFUSABLE, asyncpg.UniqueViolationError) as error:
            # A balance or a line would leave the range of its column, or a name is taken in a way
            # that we cannot see; which fact it is shows when the calls, and then the facts, are
            # booked by themselves.
            problem = error
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            return [error for _ in calls]
        if len(calls) > 1:
            half = len(calls) // 2
            return [
                *await self._commit_calls(calls[:half]),
                *await self._commit_calls(calls[half:]),
            ]
        return [await self._one_by_one(calls[0], problem)]

    async def _one_by_one(self, call: Call, problem: Exception) -> list[Outcome] | Exception:
        if len(call.facts) == 1 or call.together:
            if not isinstance(problem, REFUSABLE):
                return problem
            code = "too_many" if isinstance(problem, asyncpg.DataError) else BadInput.code
            refused = Outcome(status=Status.REFUSED, code=code, detail=str(problem))
            return [refused for _ in call.facts]
        outcomes: list[Outcome] = []
        for told in call.facts:
            [answer] = await self._commit_calls([Call([told], call.answer, together=False)])
            if isinstance(answer, Exception):
                return answer
            outcomes += answer
        return outcomes

    async def _committed(self, calls: Sequence[Call]) -> list[list[Outcome]]:
        # Another process may make the same order or balance row, or use the same name, between
        # our read and our write; the unique keys tell, and the second look then sees its row.
        # Where a lock of somebody else's runs across ours, PostgreSQL undoes one of the two.
        # A connection that is lost leaves open whether its COMMIT was done. The next try finds out
        # under its own locks: a fact id of the lost one is there with all of its batch, or never.
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + LOST_SECONDS_MAX
        races = 0
        earlier: dict[int, list[list[Outcome]]] = {}
        while True:
            try:
                return await self._try(calls, earlier)
            except (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError):
                races += 1
                if races == RACES_MAX:
                    raise
            except CONNECTION_LOST as error:
                if loop.time() > give_up_at:
                    raise LedgerUnavailable("the database cannot be reached") from error
                await asyncio.sleep(LOST_PAUSE_SECONDS)

    async def _try(
        self, calls: Sequence[Call], earlier: dict[int, list[list[Outcome]]]
    ) -> list[list[Outcome]]:
        """Decide and commit. `earlier` are the tries before: a fact id each, and the outcomes."""
        facts = [told.fact for call in calls for told in call.facts if told.problem is None]
        pool = await self._database.pool()
        async with pool.acquire() as connection:
            await self._stock_up(connection, 2 * len(facts))
            named = None if earlier else self._recall.name(facts)
            if named is not None:
                granted = await self._recalled(connection, named, calls, earlier)
                if granted is not None:
                    return granted
            async with connection.transaction():
                page, known = await ledger_read.read_page(connection, facts, self._clock.now())
                landed = await _landed(connection, list(earlier))
                if landed is not None:
                    return earlier[landed]
                same = self._recall.compare(page)
                batch = Batch(page, known, self._ids.popleft)
                outcomes = [batch.take(call.facts, together=call.together) for call in calls]
                if batch.entries:
                    earlier[batch.entries[0].id] = outcomes
                    await ledger_write.write(connection, page, batch.entries, causes=batch.causes)
            self._recall.leave(page, same)
        return outcomes

    async def _recalled(
        self,
        connection: Connection,
        named: Named,
        calls: Sequence[Call],
        earlier: dict[int, list[list[Outcome]]],
    ) -> list[list[Outcome]] | None:
        """Decide on what is remembered, if all is granted and still so; else None.

        In one go where nobody else sells it; in turn with the others under lock where they do.
        """
        same: Collection[int] = named.sku_ids
        try:
            if self._recall.sure(named):
                granted = await self._granted(connection, named, calls, earlier)
            else:
                async with connection.transaction():
                    rows = await ledger_read.lock(connection, sorted(named.sku_ids))
                    same = self._recall.renew(named, rows)
                    granted = await self._granted(connection, named, calls, earlier)
        except ledger_write.NotAsRemembered:
            earlier.clear()
            return None
        if granted is None:
            return None
        page, outcomes = granted
        self._recall.leave(page, same)
        return outcomes

    async def _granted(
        self,
        connection: Connection,
        named: Named,
        calls: Sequence[Call],
        earlier: dict[int, list[list[Outcome]]],
    ) -> tuple[Page, list[list[Outcome]]] | None:
        """The page and the outcomes, written; None, with nothing written, if not all is granted.

        Nor is it where a pool is short since a rule was changed: that opens a case.
        """
        recalled = self._recall.take(named, self._clock.now())
        if recalled is None:
            return None
        page = recalled.page
        batch = Batch(page, {}, self._ids.popleft)
        outcomes = [batch.take(call.facts, together=call.together) for call in calls]
        if not all(each.status is Status.GRANTED for answer in outcomes for each in answer):
            return None
        if any(page.shortage(sku_id) for sku_id in page.skus_by_id):
            return None
        earlier[batch.entries[0].id] = outcomes
        await ledger_write.write_if_still(connection, recalled, batch.entries)
        return page, outcomes

    async def _stock_up(self, connection: Connection, count: int) -> None:
        if len(self._ids) >= count:
            return
        blocks = max(ID_BLOCKS_MAX, -(-count // ID_BLOCK))
        rows = await connection.fetch(
            "SELECT nextval('fact_id_seq') AS first FROM generate_series(1, $1::int)", blocks
        )
        self._ids.extend(row["first"] + n for row in rows for n in range(ID_BLOCK))


async def _landed(connection: Connection, ids: Sequence[int]) -> int | None:
    """Which of these facts was recorded, if any."""
    if not ids:
        return None
    found: int | None = await connection.fetchval(
        "SELECT id FROM fact WHERE id = ANY($1::bigint[]) LIMIT 1", ids
    )
    return found
