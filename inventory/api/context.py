"""What handlers are given: the house's parts, the caller, the doorbell; and who may do what."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult
from redis.asyncio import Redis

from inventory import security
from inventory.clock import Clock
from inventory.config import Settings
from inventory.connections import ConnectionCheck
from inventory.db import Database
from inventory.errors import BadInput
from inventory.inbox import Inbox
from inventory.ledger import Ledger
from inventory.security import Scope, Vault, caller_of
from inventory.telemetry import HttpMetrics

log = structlog.get_logger()

Connection = ASGIConnection[Any, Any, Any, Any]
HOUSE_CHANNEL_ID = 0
REDIS_SECONDS_MAX = 2


class Bell:
    """Rings for work after a commit, off the request's path; rings that wait become one."""

    def __init__(self, ring: Callable[[str], None]) -> None:
        self._ring = ring
        self._waiting: dict[str, None] = {}
        self._task: asyncio.Task[None] | None = None

    def ring(self, name: str) -> None:
        """Ask for one run of a task. A bell that does not sound fails no request."""
        self._waiting[name] = None
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())

    async def _work(self) -> None:
        while self._waiting:
            name = next(iter(self._waiting))
            del self._waiting[name]
            try:
                await asyncio.to_thread(self._ring, name)
            except OSError as error:
                # The sweep finds the work that nobody rang for.
                log.warning("doorbell_silent", task=name, error=type(error).__name__)

    async def quiet(self) -> None:
        """Wait until every ring was sent."""
        if self._task is not None:
            await self._task


class Parts:
    """The parts of the house that handlers use. Make it inside the event loop that serves."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock,
        ring: Callable[[str], None],
        check_connection: ConnectionCheck,
        http: HttpMetrics,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.check_connection = check_connection
        self.http = http
        self.database = Database(settings.database_url)
        self.ledger = Ledger(self.database, clock)
        self.inbox = Inbox(self.database, self.ledger, clock)
        self.vault = Vault(settings.secret_key)
        self.bell = Bell(ring)
        self.redis = Redis.from_url(
            settings.redis_url,
            socket_timeout=REDIS_SECONDS_MAX,
            socket_connect_timeout=REDIS_SECONDS_MAX,
        )

    async def aclose(self) -> None:
        """Send the last rings and close every connection."""
        await self.bell.quiet()
        await self.redis.aclose()
        await self.database.aclose()


Services = NamedDependency[Parts]
Caller = NamedDependency[security.Caller]


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
    """Finds the caller by the key in `Authorization: Bearer hk_…`."""

    async def authenticate_request(self, connection: Connection) -> AuthenticationResult:
        """Raises `Unauthenticated` for a missing, wrong or revoked key."""
        parts = parts_of(connection.app.state)
        async with parts.database.sessions() as session:
            caller = await caller_of(session, connection.headers.get("authorization"))
        return AuthenticationResult(user=caller, auth=None)


def needs(scope: Scope) -> Callable[[Connection, BaseRouteHandler], Awaitable[None]]:
    """A guard: the key must have the scope, and be free or bound to the channel of the address."""

    async def guard(connection: Connection, _: BaseRouteHandler) -> None:
        caller: security.Caller = connection.user
        caller.require(scope, channel=connection.path_params.get("channel"))
        if "\x00" in connection.scope["path"] or b"%00" in connection.scope["query_string"]:
            raise BadInput("the address must not contain the character NUL")

    return guard
