"""What handlers are given: the house's parts, the caller, the doorbell; and who may do what."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult
from msgspec import Struct
from redis.asyncio import Redis

from inventory import connections, security
from inventory.clock import Clock
from inventory.config import Settings
from inventory.connections import ConnectionCheck
from inventory.db import Database
from inventory.errors import BadInput
from inventory.inbox import Inbox
from inventory.ledger import Ledger
from inventory.notices import Connected, Gate, NoticeReader, connected
from inventory.remembered import Remembered
from inventory.security import Scope, Vault, caller_of, hash_in
from inventory.telemetry import HttpMetrics
from inventory.telling import Door

log = structlog.get_logger()

Connection = ASGIConnection[Any, Any, Any, Any]
REDIS_SECONDS_MAX = 2
BELL_PAUSE_SECONDS = 0.1


class Bell:
    """Rings for work after a commit, off the request's path; rings that wait become one.

    The first ring sounds at once; after it, each piece of work is rung for ten times a second at
    most, however much is written.
    """

    def __init__(self, ring: Callable[[str], None]) -> None:
        self._ring = ring
        self._waiting: dict[str, None] = {}
        self._task: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()

    def ring(self, name: str) -> None:
        """Ask for one run of a task. A bell that does not sound fails no request."""
        self._waiting[name] = None
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())

    async def _work(self) -> None:
        while self._waiting:
            names, self._waiting = list(self._waiting), {}
            for name in names:
                try:
                    await asyncio.to_thread(self._ring, name)
                except OSError as error:
                    # The sweep finds the work that nobody rang for.
                    log.warning("doorbell_silent", task=name, error=type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), BELL_PAUSE_SECONDS)

    async def quiet(self) -> None:
        """Send every ring now, and wait for it."""
        self._hurry.set()
        if self._task is not None:
            await self._task
        self._hurry.clear()


class Shop(Struct, frozen=True, kw_only=True):
    """What never changes of a channel."""

    id: int
    kind: str


class Parts:
    """The parts of the house that handlers use. Make it inside the event loop that serves."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock,
        ring: Callable[[str], None],
        check_connection: ConnectionCheck,
        notices: NoticeReader,
        http: HttpMetrics,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.check_connection = check_connection
        self.notices = notices
        self.gate = Gate()
        self.http = http
        self.database = Database(settings.database_url)
        self.ledger = Ledger(self.database, clock)
        self.inbox = Inbox(self.database, self.ledger, clock)
        self.door = Door(self.database, self.ledger, clock)
        self.vault = Vault(settings.secret_key)
        self.bell = Bell(ring)
        self.callers = Remembered(clock, self._caller)
        self.shops = Remembered(clock, self._shop)
        self.connected = Remembered(clock, self._connected)
        self.redis = Redis.from_url(
            settings.redis_url,
            socket_timeout=REDIS_SECONDS_MAX,
            socket_connect_timeout=REDIS_SECONDS_MAX,
        )

    async def _caller(self, key_hash: bytes) -> security.Caller:
        async with self.database.sessions() as session:
            return await caller_of(session, key_hash)

    async def _shop(self, code: str) -> Shop:
        async with self.database.sessions() as session:
            channel = await connections.channel_by_code(session, code)
        return Shop(id=channel.id, kind=channel.kind)

    async def _connected(self, code: str) -> Connected:
        async with self.database.sessions() as session:
            return await connected(session, self.vault, code)

    async def aclose(self) -> None:
        """Send the last rings and close every connection."""
        await self.bell.quiet()
        await self.notices.aclose()
        await self.redis.aclose()
        await self.database.aclose()


Services = NamedDependency[Parts]
Caller = NamedDependency[security.Caller]
# Where a door is to be quick: what a handler needs is found without the framework's injection.
Asked = Request[security.Caller, Any, State]


def parts_of(state: State) -> Parts:
    """The parts, made when the app started."""
    found = state.services
    if not isinstance(found, Parts):
        raise TypeError("the app was not started")
    return found


def caller_from(request: Request[security.Caller, Any, State]) -> security.Caller:
    """Who is calling."""
    return request.user


class KeyAuthentication(AbstractAuthenticationMiddleware):
    """Finds the caller by the key in `Authorization: Bearer hk_…`.

    What a key may do is remembered for up to 5 seconds, so a revoked one may work that long.
    """

    async def authenticate_request(self, connection: Connection) -> AuthenticationResult:
        """Raises `Unauthenticated` for a missing, wrong or revoked key."""
        key_hash = hash_in(connection.headers.get("authorization"))
        caller = await parts_of(connection.app.state).callers.get(key_hash)
        return AuthenticationResult(user=caller, auth=None)


def needs(scope: Scope) -> Callable[[Connection, BaseRouteHandler], Awaitable[None]]:
    """A guard: the key must have the scope, and be free or bound to the channel of the address."""

    async def guard(connection: Connection, _: BaseRouteHandler) -> None:
        caller: security.Caller = connection.user
        caller.require(scope, channel=connection.path_params.get("channel"))
        if "\x00" in connection.scope["path"] or b"%00" in connection.scope["query_string"]:
            raise BadInput("the address must not contain the character NUL")

    return guard
