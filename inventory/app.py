"""The web application, put together: `uvicorn --factory inventory.app:serve` runs it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme, Tag
from litestar.types import Method
from redis.asyncio import Redis

from channels import registry
from channels.base import Notice, NoticeForged, Rejected
from channels.webhooks import Reader
from inventory import VERSION, collector, config, logs, schema
from inventory.api import (
    alerts,
    buyers,
    buying,
    channels,
    deliveries,
    desk,
    drift,
    events,
    history,
    kits,
    listings,
    locations,
    movements,
    notices,
    onboarding,
    orders,
    penalty_reports,
    reservations,
    skus,
    status,
    warehouse,
    webhooks,
)
from inventory.api.context import KeyAuthentication, Parts, caller_from, parts_of
from inventory.api.problems import HANDLERS
from inventory.api.requests import Application
from inventory.clock import Clock
from inventory.config import Settings
from inventory.connections import ConnectionCheck
from inventory.doorbell import Doorbell, make_celery
from inventory.errors import BadInput, WrongState
from inventory.notices import Connected, ForgedNotice
from inventory.security import SCOPES
from inventory.telemetry import HttpMetrics
from inventory.vocabulary import Kind

BODY_BYTES_MAX = 1_000_000
KEY_SCHEME = "key"

CONTROLLERS = (
    skus.SkuController,
    kits.KitController,
    locations.LocationController,
    movements.MovementController,
    warehouse.WarehouseController,
    history.HistoryController,
    channels.ChannelController,
    channels.FreezeController,
    onboarding.OnboardingController,
    listings.ListingController,
    drift.DriftController,
    drift.ResyncController,
    orders.OrderController,
    reservations.ReservationController,
    events.EventController,
    desk.OversellController,
    desk.CancellationController,
    desk.PenaltyController,
    buyers.BuyerRequestController,
    buyers.BuyerMessageController,
    buyers.DeskController,
    penalty_reports.PenaltyReportController,
    alerts.AlertRuleController,
    alerts.AlertController,
    buying.TeamController,
    buying.SupplierController,
    buying.BuyingController,
    webhooks.EndpointController,
    deliveries.DeliveryController,
    status.StatusController,
)

DESCRIPTION = """Central stock ledger for one pile of stock sold on many channels.

Every list is read in pages: `limit` (1 to 500) and `cursor`, which is the `next` of the page
before. Every error is `application/problem+json` with a stable `code`. Times are RFC 3339 with
time zone, quantities whole units, prices whole yen, a request at most 1,000,000 bytes.

Send `Authorization: Bearer hk_…`. A key bound to a channel may use that channel's addresses only.
Scopes:

"""


def create_app(
    settings: Settings | None = None,
    *,
    ring: Callable[[str], None] | None = None,
    clock: Clock | None = None,
    check_connection: ConnectionCheck | None = None,
) -> Litestar:
    """The application. Settings come from the environment unless given; wrong ones raise at once.

    With those of the environment, it is what this process is for: logs and collector are set.
    `ring` sends work to the workers by name, after the commit that made it. Raises `SettingWrong`;
    starting it raises `WrongState` when the database's schema is not the newest.
    """
    if settings is None:
        settings = config.load()
        logs.setup(settings)
        collector.calm()
    http = HttpMetrics()
    return Application(
        route_handlers=[_v1(), notices.NoticeController, status.OpenController],
        lifespan=[
            _lifespan(
                settings,
                ring=ring or Doorbell(make_celery(settings.redis_url)).ring,
                clock=clock or Clock(),
                check_connection=check_connection or check_by_adapter,
            )
        ],
        dependencies={"services": Provide(services_of_request, sync_to_thread=False)},
        exception_handlers=HANDLERS,
        request_max_body_size=BODY_BYTES_MAX,
        openapi_config=_openapi(),
        state=State({"http": http}),
        logging_config=None,
        debug=False,
    )


def check_by_adapter(
    kind: Kind, _: str, settings: dict[str, Any], credentials: dict[str, Any]
) -> None:
    """Raises `BadInput` for what the kind's adapter would refuse; an own store has none."""
    if kind is Kind.OWN_STORE:
        return
    try:
        registry.check(kind, settings, credentials)
    except Rejected as error:
        raise BadInput(str(error)) from None


class NoticesByAdapter:
    """Reads notices with the channels' adapters, and tells what is wrong in our own words."""

    def __init__(self, redis_url: str) -> None:
        self._redis = Redis.from_url(redis_url)
        self._reader = Reader(self._redis)

    async def read(self, shop: Connected, headers: Mapping[str, str], body: bytes) -> Notice:
        """Raises `ForgedNotice`, `BadInput`."""
        try:
            return await self._reader.read(
                shop.kind,
                channel_id=shop.id,
                base_url=shop.base_url,
                settings=shop.settings,
                credentials=shop.credentials,
                headers=headers,
                body=body,
            )
        except NoticeForged as error:
            raise ForgedNotice(str(error)) from None
        except Rejected as error:
            raise BadInput(str(error)) from None

    async def aclose(self) -> None:
        """Close the adapters."""
        await self._reader.aclose()
        await self._redis.aclose()


def services_of_request(state: State) -> Parts:
    """The house's parts."""
    return parts_of(state)


def _v1() -> Router:
    return Router(
        path="/v1",
        route_handlers=CONTROLLERS,
        middleware=[KeyAuthentication],
        dependencies={"caller": Provide(caller_from, sync_to_thread=False)},
        security=[{KEY_SCHEME: []}],
    )


def serve() -> Litestar:
    """The application as a server runs it, in a process of its own."""
    app = create_app()
    collector.calm()
    return app


def _lifespan(
    settings: Settings,
    *,
    ring: Callable[[str], None],
    clock: Clock,
    check_connection: ConnectionCheck,
) -> Callable[[Litestar], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        if not await schema.is_current(settings.database_url):
            raise WrongState("the database's schema is not the newest: run `hikiate migrate`")
        services = Parts(
            settings,
            clock=clock,
            ring=ring,
            check_connection=check_connection,
            notices=NoticesByAdapter(settings.redis_url),
            http=app.state.http,
        )
        app.state.services = services
        try:
            yield
        finally:
            await services.aclose()

    return lifespan


def _openapi() -> OpenAPIConfig:
    scopes = "\n".join(f"- `{scope}`: {text}" for scope, text in SCOPES.items())
    return OpenAPIConfig(
        title="Hikiate",
        version=VERSION,
        description=DESCRIPTION + scopes,
        path="/schema",
        render_plugins=[JsonRenderPlugin(path="/openapi.json")],
        use_handler_docstrings=True,
        operation_id_creator=_operation_id,
        components=Components(
            security_schemes={
                KEY_SCHEME: SecurityScheme(
                    type="http", scheme="bearer", description="A key: hk_… (see `hikiate key`)."
                )
            }
        ),
        tags=[
            Tag(name="SKUs", description="What is sold, and where it lies."),
            Tag(name="Stock", description="What the warehouse desk tells the ledger."),
            Tag(name="Channels", description="The connected shops."),
            Tag(name="Listings", description="What a channel offers, and the numbers it shows."),
            Tag(name="Own store", description="The door for a store that has no adapter."),
            Tag(name="Events", description="What channels told us."),
            Tag(name="Desk", description="Oversells, cancellations, penalties."),
            Tag(name="Alerts", description="What is watched, and what fired."),
            Tag(name="Webhooks", description="Who is told."),
            Tag(name="Status", description="How the house is doing."),
        ],
    )


def _operation_id(handler: HTTPRouteHandler, _: Method, __: list[Any]) -> str:
    return handler.handler_name
