"""Connections: SQLAlchemy sessions for what people read and edit, asyncpg for the ledger."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

if TYPE_CHECKING:
    from asyncpg.pool import Pool, PoolConnectionProxy

    Connection: TypeAlias = PoolConnectionProxy[asyncpg.Record]

# What says that the database cannot be reached, or that a connection to it was lost.
CONNECTION_LOST = (
    ConnectionError,
    TimeoutError,
    socket.gaierror,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    # Raised where the server's last word has come in and the end of the connection has not.
    asyncpg.InternalClientError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
)
POOL_SIZE = 10
STATEMENT_SECONDS_MAX = 30


def sqlalchemy_url(database_url: str) -> str:
    """The same address as SQLAlchemy wants it."""
    return urlunsplit(urlsplit(database_url)._replace(scheme="postgresql+asyncpg"))


async def _plan_once(connection: Connection) -> None:
    # A batch's plan is always the same: by index, row by row. Planning anew for every number of
    # rows costs more than the work, and a plan made while a table is small would read all of it
    # when it has grown.
    await connection.execute(
        "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off;"
        " SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off"
    )


async def _nothing_to_reset(_: object) -> None:
    """The ledger's connections are given back as they were: no setting, no cursor, no lock."""


class Database:
    """One process's connections. Make it inside the event loop that uses it."""

    def __init__(self, database_url: str, *, pool_size: int = POOL_SIZE) -> None:
        self._url = database_url
        self._pool_size = pool_size
        self._pool: Pool[asyncpg.Record] | None = None
        self.engine = create_async_engine(
            sqlalchemy_url(database_url),
            pool_size=pool_size,
            max_overflow=0,
            pool_pre_ping=True,
            connect_args={"server_settings": {"application_name": "hikiate"}},
        )
        self.sessions = async_sessionmaker(self.engine, expire_on_commit=False)

    async def pool(self) -> Pool[asyncpg.Record]:
        """The ledger's connections, opened at first use."""
        if self._pool is None:
            self._pool = await asyncpg.create_pool(
                urlunsplit(urlsplit(self._url)._replace(scheme="postgresql")),
                min_size=1,
                max_size=self._pool_size,
                command_timeout=STATEMENT_SECONDS_MAX,
                init=_plan_once,
                reset=_nothing_to_reset,
                server_settings={"application_name": "hikiate-ledger"},
            )
        return self._pool

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Commit on success, roll back on any error. Never held open during a call to a channel."""
        async with self.sessions.begin() as session:
            yield session

    async def aclose(self) -> None:
        """Close all connections."""
        if self._pool is not None:
            await self._pool.close()
        await self.engine.dispose()
