"""Endpoints: where messages go, by signed webhook, chat or mail, and for which team."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from litestar import Controller, delete, get, patch, post
from litestar.params import Body, JSONBody
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED, HTTP_204_NO_CONTENT
from msgspec import Meta, Struct

from inventory import audit, deliveries
from inventory.api.context import Caller, Services, needs
from inventory.api.deliveries import DeliveryRow, delivery_row
from inventory.api.paging import (
    SMALL_ID_MAX,
    Cursor,
    Limit,
    Page,
    SmallId,
    encoded,
    id_in,
    page,
)
from inventory.api.problems import problems
from inventory.fields import Moment, moment
from inventory.models import WebhookEndpoint
from inventory.outgoing import endpoints, removals, replays
from inventory.outgoing.edits import EndpointChange, change
from inventory.outgoing.endpoint_keys import OVERLAP_HOURS, OVERLAP_HOURS_MAX, rotate
from inventory.outgoing.endpoints import NewEndpoint
from inventory.reports import sent
from inventory.security import Scope

READ = needs(Scope.STOCK_READ)
WRITE = needs(Scope.ALERTS_WRITE)


class EndpointRow(Struct, frozen=True, kw_only=True):
    """Where messages go. `url` shows the host only; address, tokens and secret are never shown.

    `public_key` (whpk_…) verifies `v1a`; `public_key_previous` until `previous_until`. `active`
    is false after a 410.
    """

    id: int
    kind: str
    name: str
    team: str | None
    url: str
    events: list[str]
    active: bool
    public_key: str | None
    public_key_previous: str | None
    previous_until: datetime | None
    created_at: datetime
    failing_since: datetime | None


class EndpointMade(EndpointRow, frozen=True, kw_only=True):
    """An endpoint with the secret that signs its messages (Standard Webhooks), shown once.

    Null for chats and mail, whose messages are not signed.
    """

    secret: str | None


class Rotation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long the keys before go on signing beside the new ones: 0 to 168 hours."""

    hours: Annotated[int, Meta(ge=0, le=OVERLAP_HOURS_MAX)] = OVERLAP_HOURS


class Replay(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From where: the `next` of the page before, or a time; neither means the last 30 days."""

    cursor: str | None = None
    since: Moment | None = None
    limit: Annotated[int, Meta(ge=1, le=replays.PAGE_MAX)] = replays.PAGE_MAX


class Replayed(Struct, frozen=True, kw_only=True):
    """How many messages of this page go out again; `next` begins the following page.

    `outdated` were left out, as something newer was said about the same.
    """

    queued: int
    outdated: int
    next: str | None


EndpointPage = Annotated[Page[EndpointRow], Body(schema_component_key="EndpointPage")]


class EndpointController(Controller):
    """Who is told."""

    path = "/webhook-endpoints"
    tags = ("Webhooks",)

    @get(guards=[READ], responses=problems())
    async def list_webhook_endpoints(
        self, services: Services, limit: Limit = 100, cursor: Cursor = None
    ) -> EndpointPage:
        """Endpoints in order of creation."""
        after_id = id_in(cursor, most=SMALL_ID_MAX)
        async with services.database.sessions() as session:
            rows = await sent.endpoints(session, after_id=after_id, limit=limit + 1)
            made = [EndpointRow(**endpoint_fields(endpoint)) for endpoint in rows]
        return page(made, limit, lambda row: row.id)

    @post(guards=[WRITE], status_code=HTTP_201_CREATED, responses=problems(404))
    async def create_webhook_endpoint(
        self, data: JSONBody[NewEndpoint], services: Services, caller: Caller
    ) -> EndpointMade:
        """Add an endpoint. The answer has the secret that its messages are signed with; keep it."""
        now = services.clock.now()
        networks = services.settings.webhook_networks
        async with services.database.transaction() as session:
            endpoint, secret = await endpoints.add(session, services.vault, data, networks)
            detail = {"endpoint": endpoint.id, "kind": data.kind, "events": list(data.events)}
            audit.note(session, by=caller.name, action="endpoint.created", detail=detail, now=now)
            await session.refresh(endpoint)
            return _made(endpoint, secret)

    @patch("/{endpoint_id:int}", guards=[WRITE], responses=problems(404))
    async def change_webhook_endpoint(
        self,
        endpoint_id: SmallId,
        data: JSONBody[EndpointChange],
        services: Services,
        caller: Caller,
    ) -> EndpointRow:
        """Change name, team or events; what is left out stays. What is queued still goes there."""
        now = services.clock.now()
        async with services.database.transaction() as session:
            endpoint = await change(session, endpoint_id, data, by=caller.name, now=now)
            return EndpointRow(**endpoint_fields(endpoint))

    @post(
        "/{endpoint_id:int}/rotate",
        guards=[WRITE],
        status_code=HTTP_200_OK,
        responses=problems(404, 409),
    )
    async def rotate_webhook_secret(
        self, endpoint_id: SmallId, data: JSONBody[Rotation], services: Services, caller: Caller
    ) -> EndpointMade:
        """New keys for a webhook; both sign until `previous_until`, then the new ones alone."""
        now = services.clock.now()
        async with services.database.transaction() as session:
            endpoint, secret = await rotate(
                session, services.vault, endpoint_id, hours=data.hours, now=now
            )
            detail = {"endpoint": endpoint_id, "hours": data.hours}
            audit.note(session, by=caller.name, action="endpoint.rotated", detail=detail, now=now)
            return _made(endpoint, secret)

    @post(
        "/{endpoint_id:int}/test",
        guards=[WRITE],
        status_code=HTTP_201_CREATED,
        responses=problems(404, 409),
    )
    async def test_webhook_endpoint(self, endpoint_id: SmallId, services: Services) -> DeliveryRow:
        """Send `endpoint.ping` to this endpoint alone; the log tells what came of it."""
        async with services.database.transaction() as session:
            endpoint = await endpoints.find(session, endpoint_id)
            row = delivery_row(await deliveries.ping(session, endpoint, services.clock.now()))
        services.bell.ring("notify")
        return row

    @post(
        "/{endpoint_id:int}/enable",
        guards=[WRITE],
        status_code=HTTP_200_OK,
        responses=problems(404),
    )
    async def enable_webhook_endpoint(
        self, endpoint_id: SmallId, services: Services, caller: Caller
    ) -> EndpointRow:
        """Send there again after a 410. What it missed comes by a replay."""
        now = services.clock.now()
        async with services.database.transaction() as session:
            endpoint = await endpoints.enable(session, endpoint_id)
            detail = {"endpoint": endpoint_id}
            audit.note(session, by=caller.name, action="endpoint.enabled", detail=detail, now=now)
            return EndpointRow(**endpoint_fields(endpoint))

    @post(
        "/{endpoint_id:int}/replay",
        guards=[WRITE],
        status_code=HTTP_200_OK,
        responses=problems(404, 409),
    )
    async def replay_webhook_endpoint(
        self, endpoint_id: SmallId, data: JSONBody[Replay], services: Services, caller: Caller
    ) -> Replayed:
        """Send the past again, oldest first, a page at a time, under the ids that messages had."""
        now = services.clock.now()
        async with services.database.transaction() as session:
            found = await replays.replay_past(
                session,
                endpoint_id,
                now=now,
                after=id_in(data.cursor),
                since=None if data.since is None else moment(data.since),
                limit=data.limit,
            )
            detail = {"endpoint": endpoint_id, "queued": found.queued}
            audit.note(session, by=caller.name, action="endpoint.replayed", detail=detail, now=now)
        services.bell.ring("notify")
        after = None if found.next is None else encoded(found.next)
        return Replayed(queued=found.queued, outdated=found.outdated, next=after)

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
        now = services.clock.now()
        async with services.database.transaction() as session:
            await removals.remove(session, endpoint_id, now)
            detail = {"endpoint": endpoint_id}
            audit.note(session, by=caller.name, action="endpoint.deleted", detail=detail, now=now)


def endpoint_fields(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """What may be shown of an endpoint."""
    fields = {name: getattr(endpoint, name) for name in EndpointRow.__struct_fields__}
    return fields | {"url": endpoints.shown(endpoint)}


def _made(endpoint: WebhookEndpoint, secret: str) -> EndpointMade:
    signed = endpoint.kind == "webhook"
    return EndpointMade(**endpoint_fields(endpoint), secret=secret if signed else None)
