"""Rivals in the database, held up by a lock or let in at a chosen instant; lost connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any

import asyncpg

from inventory.db import Database

WAITING = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)
# The place in a script that comes after the COMMIT was done, before anybody hears of it.
ANSWER = -1

Act = Callable[[Any], Awaitable[None]]


async def until_waiting(database: Database, task: asyncio.Task[Any], *, waiters: int = 1) -> None:
    """Until `waiters` transactions wait for a lock, or the task is done. At most ten seconds."""
    pool = await database.pool()
    async with asyncio.timeout(10):
        while (  # noqa: ASYNC110 -- PostgreSQL has no event that says so
            not task.done() and await pool.fetchval(WAITING) < waiters
        ):
            await asyncio.sleep(0.01)


class Staged(Database):
    """One process's connections, on a stage: acts come right before chosen statements.

    `play` begins a script: statement number → act. BEGIN and COMMIT are statements, too; they are
    counted from 0 over all tries. `statements` is how many there were since.
    """

    def __init__(self, database_url: str, *, pool_size: int = 2) -> None:
        super().__init__(database_url, pool_size=pool_size)
        self.statements = 0
        self._script: dict[int, Act] = {}

    def play(self, script: dict[int, Act] | None = None) -> None:
        """Begin a new script; without one, nothing happens."""
        self.statements = 0
        self._script = dict(script or {})

    @property
    def is_over(self) -> bool:
        """Whether every act of the script was played."""
        return not self._script

    async def pool(self) -> Any:
        """The pool, with its connections on the stage."""
        return _Pool(self, await super().pool())

    async def cut(self, connection: Any) -> None:
        """An act: the session ends at the server; its next statement finds out."""
        pool = await super().pool()
        await pool.fetchval("SELECT pg_terminate_backend($1)", _pid(connection))

    async def lose_answer(self, connection: Any) -> None:
        """An act for `ANSWER`: the connection is gone before it is heard."""
        await self.cut(connection)
        raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle")

    async def before(self, connection: Any) -> None:
        """Play what stands before this statement."""
        number, self.statements = self.statements, self.statements + 1
        act = self._script.pop(number, None)
        if act is not None:
            await act(connection)

    async def answered(self, connection: Any) -> None:
        """Play what stands after a COMMIT."""
        act = self._script.pop(ANSWER, None)
        if act is not None:
            await act(connection)


class _Pool:
    def __init__(self, stage: Staged, pool: Any) -> None:
        self._stage = stage
        self._pool = pool

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        async with self._pool.acquire() as connection:
            yield _Connection(self._stage, connection)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)


class _Connection:
    def __init__(self, stage: Staged, connection: Any) -> None:
        self._stage = stage
        self._connection = connection

    async def fetch(self, *arguments: Any) -> Any:
        await self._stage.before(self._connection)
        return await self._connection.fetch(*arguments)

    async def fetchval(self, *arguments: Any) -> Any:
        await self._stage.before(self._connection)
        return await self._connection.fetchval(*arguments)

    async def execute(self, *arguments: Any) -> Any:
        await self._stage.before(self._connection)
        done = await self._connection.execute(*arguments)
        if not self._connection.is_in_transaction():  # a statement alone is its own COMMIT
            await self._stage.answered(self._connection)
        return done

    def transaction(self) -> Any:
        return _Transaction(self._stage, self._connection)


class _Transaction:
    def __init__(self, stage: Staged, connection: Any) -> None:
        self._stage = stage
        self._connection = connection
        self._transaction = connection.transaction()

    async def __aenter__(self) -> None:
        await self._stage.before(self._connection)
        await self._transaction.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            try:
                await self._stage.before(self._connection)
            except BaseException as spoilt:
                await self._transaction.__aexit__(type(spoilt), spoilt, spoilt.__traceback__)
                raise
        await self._transaction.__aexit__(kind, error, trace)
        if kind is None:
            await self._stage.answered(self._connection)


def _pid(connection: Any) -> int:
    pid: int = connection.get_server_pid()
    return pid


def raising(error: Exception) -> Act:
    """An act that fails as the database would."""

    async def act(_: Any) -> None:
        raise error

    return act
