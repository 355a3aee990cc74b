"""How the house is doing: for people and programs, for probes, and for Prometheus."""

from __future__ import annotations

from litestar import Controller, Response, get
from litestar.openapi.datastructures import ResponseSpec
from msgspec import Struct
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from inventory import health, telemetry
from inventory.api.context import Services, needs
from inventory.api.problems import UNAVAILABLE, problems
from inventory.calls_made import calls_made
from inventory.health import Finding
from inventory.reports import channels
from inventory.reports.channels import Status
from inventory.security import Scope


class Alive(Struct, frozen=True, kw_only=True):
    """The process answers."""

    status: str


class Ready(Struct, frozen=True, kw_only=True):
    """Whether all is on time; `findings` names what is not, and warns of what will not be."""

    status: str
    findings: list[Finding]


class StatusController(Controller):
    """The overview."""

    path = "/status"
    tags = ("Status",)

    @get(guards=[needs(Scope.STOCK_READ)], responses=problems())
    async def get_status(self, services: Services) -> Status:
        """Per channel: last pull, watermark, old numbers, sales today; and what waits for you."""
        async with services.database.sessions() as session:
            return await channels.status(session, services.clock.now())


class OpenController(Controller):
    """What probes and Prometheus ask; no key is needed, and nothing secret is told."""

    tags = ("Status",)

    @get("/health/live", security=[])
    async def get_live(self) -> Alive:
        """Whether this process answers."""
        return Alive(status="live")

    @get(
        "/health/ready",
        security=[],
        responses={503: ResponseSpec(Ready, description="Something is late, stuck or missing")},
    )
    async def get_ready(self, services: Services) -> Response[Ready]:
        """Whether all is on time: 200, or 503 with what is late, on which channel, since when."""
        found = await _redis(services) + await _database(services)
        late = any(not each.warning for each in found)
        ready = Ready(status="late" if late else "ready", findings=found)
        return Response(ready, status_code=503 if late else 200)

    @get("/metrics", security=[], media_type=telemetry.CONTENT_TYPE)
    async def get_metrics(self, services: Services) -> bytes:
        """The house's figures in Prometheus' text format."""
        async with services.database.sessions() as session:
            status = await channels.status(session, services.clock.now())
            waiting = services.ledger.combiner.waiting
            calls = await calls_made(session, services.redis)
            return await telemetry.render(
                session, status, services.http, waiting=waiting, calls=calls
            )


async def _redis(services: Services) -> list[Finding]:
    try:
        await services.redis.ping()
    except (OSError, RedisError) as error:
        return [Finding(what="redis_unreachable", detail=type(error).__name__)]
    return []


async def _database(services: Services) -> list[Finding]:
    try:
        async with services.database.sessions() as session:
            return await health.findings(session, services.settings, services.clock.now())
    except (*UNAVAILABLE, DBAPIError, PoolTimeout) as error:
        return [Finding(what="postgresql_unreachable", detail=type(error).__name__)]
