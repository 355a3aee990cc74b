"""Webhooks: the addresses that receive signed messages, and the log of what was sent to them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from litestar import Controller, delete, get, post
from litestar.params import Body, JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED, HTTP_204_NO_CONTENT
from msgspec import Meta, Struct
from sqlalchemy import select

from inventory import audit, deliveries, endpoints
from inventory.api.context import Caller, Services, needs
from inventory.api.paging import (
    ID_MAX,
    SMALL_ID_MAX,
    Cursor,
    Id,
    Limit,
    Page,
    SmallId,
    id_in,
    page,
)
from inventory.api.problems import problems
from inventory.errors import NotFound
from inventory.fields import Text, Url
from inventory.models import Delivery, WebhookEndpoint
from inventory.security import Scope

READ = needs(Scope.STOCK_READ)
WRITE = needs(Scope.ALERTS_WRITE)


class NewEndpoint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An address that shall receive messages. `events` such as alert.fired; none means all."""

    url: Url
    events: Annotated[list[Text], Meta(max_length=endpoints.EVENTS_MAX)] = []


class EndpointRow(Struct, frozen=True, kw_only=True):
    """An address that receives messages; its secret is not shown again."""

    id: int
    url: str
    events: list[str]
    created_at: datetime
    failing_since: datetime | None


class EndpointMade(EndpointRow, frozen=True, kw_only=True):
    """A new endpoint with the secret that signs its messages (Standard Webhooks), shown once."""

    secret: str


class DeliveryRow(Struct, frozen=True, kw_only=True):
    """One message to one endpoint: pending until delivered, parked after the last try."""

    id: int
    endpoint_id: int
    message_id: str
    event: str
    state: str
    attempts: int
    due_at: datetime
    last_status: int | None
    last_failure: str | None
    body: dict[str, Any]
    created_at: datetime
    delivered_at: datetime | None


EndpointPage = Annotated[Page[EndpointRow], Body(schema_component_key="EndpointPage")]
DeliveryPage = Annotated[Page[DeliveryRow], Body(schema_component_key="DeliveryPage")]


class EndpointController(Controller):
    """Who is told."""

    path = "/webhook-endpoints"
    tags = ("Webhooks",)

    @get(guards=[READ], responses=problems())
    async def list_webhook_endpoints(
        self, services: Services, limit: Limit = 100, cursor: Cursor = None
    ) -> EndpointPage:
        """Endpoints in order of creation."""
        query = select(WebhookEndpoint).where(
            WebhookEndpoint.active, WebhookEndpoint.id > id_in(cursor, most=SMALL_ID_MAX)
        )
        async with services.database.sessions() as session:
            rows = await session.scalars(query.order_by(WebhookEndpoint.id).limit(limit + 1))
            made = [EndpointRow(**_endpoint(endpoint)) for endpoint in rows]
        return page(made, limit, lambda row: row.id)

    @post(guards=[WRITE], status_code=HTTP_201_CREATED, responses=problems())
    async def create_webhook_endpoint(
        self, data: JSONBody[NewEndpoint], services: Services, caller: Caller
    ) -> EndpointMade:
        """Add an endpoint. The answer has the secret that its messages are signed with; keep it."""
        now = services.clock.now()
        async with services.database.transaction() as session:
            endpoint, secret = await endpoints.add_endpoint(
                session,
                services.vault,
                url=data.url,
                events=data.events,
                networks=services.settings.webhook_networks,
            )
            detail = {"endpoint": endpoint.id, "events": list(data.events)}
            audit.note(session, by=caller.name, action="endpoint.created", detail=detail, now=now)
            await session.refresh(endpoint)
            return EndpointMade(**_endpoint(endpoint), secret=secret)

    @delete(
        "/{endpoint_id:int}",
        guards=[WRITE],
        status_code=HTTP_204_NO_CONTENT,
        responses=problems(404),
    )
    async def delete_webhook_endpoint(
        self, endpoint_id: SmallId, services: Services, caller: Caller
    ) -> None:
        """Send nothing more there; what was sent stays in the log."""
        async with services.database.transaction() as session:
            endpoint = await session.get(WebhookEndpoint, endpoint_id, with_for_update=True)
            if endpoint is None or not endpoint.active:
                raise NotFound(f"no webhook endpoint {endpoint_id}")
            endpoint.active = False
            audit.note(
                session,
                by=caller.name,
                action="endpoint.deleted",
                detail={"endpoint": endpoint_id},
                now=services.clock.now(),
            )


def _endpoint(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "events": endpoint.events,
        "created_at": endpoint.created_at,
        "failing_since": endpoint.failing_since,
    }


class DeliveryController(Controller):
    """What was sent, and what was not."""

    path = "/deliveries"
    tags = ("Webhooks",)

    @get(guards=[READ], responses=problems())
    async def list_deliveries(
        self,
        services: Services,
        limit: Limit = 100,
        cursor: Cursor = None,
        in_state: Annotated[
            Literal["pending", "delivered", "parked"] | None,
            QueryParameter(
                name="state", required=False, description="Only messages in this state."
            ),
        ] = None,
    ) -> DeliveryPage:
        """Messages, newest first, with the number of tries and what the last one brought."""
        query = select(Delivery).where(Delivery.id < id_in(cursor, start=ID_MAX))
        if in_state is not None:
            query = query.where(Delivery.state == in_state)
        async with services.database.sessions() as session:
            rows = await session.scalars(query.order_by(Delivery.id.desc()).limit(limit + 1))
            return page([_delivery(row) for row in rows], limit, lambda row: row.id)

    @post(
        "/{delivery_id:int}/replay",
        guards=[WRITE],
        status_code=HTTP_200_OK,
        responses=problems(404, 409),
    )
    async def replay_delivery(
        self, delivery_id: Id, services: Services, caller: Caller
    ) -> DeliveryRow:
        """Send a message again, under the id it had."""
        now = services.clock.now()
        async with services.database.transaction() as session:
            await deliveries.replay(session, delivery_id, now)
            detail = {"delivery": delivery_id}
            audit.note(session, by=caller.name, action="delivery.replayed", detail=detail, now=now)
            await session.flush()
            row = _delivery(await session.get_one(Delivery, delivery_id))
        services.bell.ring("notify")
        return row


def _delivery(delivery: Delivery) -> DeliveryRow:
    return DeliveryRow(
        id=delivery.id,
        endpoint_id=delivery.endpoint_id,
        message_id=delivery.message_id,
        event=delivery.event,
        state=delivery.state,
        attempts=delivery.attempts,
        due_at=delivery.due_at,
        last_status=delivery.last_status,
        last_failure=delivery.last_failure,
        body=delivery.body,
        created_at=delivery.created_at,
        delivered_at=delivery.delivered_at,
    )
