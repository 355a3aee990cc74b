"""The REST door for orders: an own store tells its sales, cancellations and shipments."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from litestar import Controller, Response, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody
from msgspec import Struct, to_builtins

from inventory import connections
from inventory.api.context import Services, needs
from inventory.api.paging import PathText
from inventory.api.problems import problems
from inventory.errors import BadInput, ContentDiffers, WrongState
from inventory.events import CancellationTold, SaleTold, ShipmentTold
from inventory.facts import Status
from inventory.fields import moment
from inventory.inbox import Received
from inventory.models import Channel
from inventory.security import Scope
from inventory.vocabulary import Kind

WRITE = needs(Scope.ORDERS_WRITE)
OWN = frozenset({Kind.OWN_STORE.value})


class EventAnswer(Struct, frozen=True, kw_only=True):
    """Where an event stands: handled, or parked with the code that says what a person must do."""

    event: int
    state: str
    code: str
    detail: str
    repeated: bool


RESPONSES = {
    200: ResponseSpec(EventAnswer, description="Told before; nothing changed"),
    202: ResponseSpec(EventAnswer, description="Stored and parked: a person must act, then replay"),
    **problems(404, 409),
}


async def own_store(services: Services, code: str) -> Channel:
    """The channel that tells us about itself. Raises `NotFound`, `WrongState` for other kinds."""
    async with services.database.sessions() as session:
        channel = await connections.channel_by_code(session, code)
    if channel.kind not in OWN:
        raise WrongState(f"a {channel.kind} channel does not tell its orders here")
    return channel


async def told(
    services: Services, channel_code: str, kind: str, subject: str, event: Any
) -> Response[EventAnswer]:
    """Store an event, handle it, and say where it stands."""
    times: list[datetime | None] = [event.occurred_at, getattr(event, "ship_by", None)]
    for time in times:
        if time is not None:
            moment(time)
    if "/" in subject or not subject.isascii() or not subject.isprintable():
        raise BadInput("an order_ref has printable ASCII characters and no slash")
    channel = await own_store(services, channel_code)
    received = await services.inbox.receive(
        channel.id,
        event_id=event.event_id,
        kind=kind,
        subject=subject,
        body=to_builtins(event),
    )
    if received.state == "conflict":
        raise ContentDiffers(f"{received.detail}; kept as event {received.id}")
    repeated = received.repeated
    if received.state == "new":
        await services.inbox.handle([received.id])
        received = await services.inbox.look(received.id)
        services.bell.ring("refresh")
    return _answer(received, repeated=repeated)


def _answer(received: Received, *, repeated: bool) -> Response[EventAnswer]:
    outcome = received.outcome or {}
    if outcome.get("status") == Status.CONFLICT:
        raise ContentDiffers(f"{outcome.get('detail', '')}; kept as event {received.id}")
    answer = EventAnswer(
        event=received.id,
        state=received.state,
        code=received.code,
        detail=received.detail,
        repeated=repeated,
    )
    if received.state != "handled":
        return Response(answer, status_code=202)
    return Response(answer, status_code=200 if repeated else 201)


class OrderController(Controller):
    """What an own store tells us. `event_id` names what happened: tell it again until answered.

    New is 201, repeated is 200, parked is 202 (nothing is lost: it is handled once the cause is
    put right). The same `event_id` with other content is 409 and kept among the events.
    """

    path = "/channels/{channel:str}/orders"
    tags = ("Own store",)

    @post(guards=[WRITE], responses=RESPONSES)
    async def tell_order(
        self, channel: PathText, data: JSONBody[SaleTold], services: Services
    ) -> Response[EventAnswer]:
        """An order was placed. It is recorded even where stock falls below zero: it did happen.

        `reservation_ref` names a reservation that this order fulfils. An unknown `channel_sku`
        parks the order (202, `unknown_listing`).
        """
        return await told(services, channel, "sale", data.order_ref, data)

    @post("/{order_ref:str}/cancellations", guards=[WRITE], responses=RESPONSES)
    async def tell_cancellation(
        self,
        channel: PathText,
        order_ref: PathText,
        data: JSONBody[CancellationTold],
        services: Services,
    ) -> Response[EventAnswer]:
        """An order ended at the store (no `lines`), or units of its lines; in any order of arrival.

        An order that is told after its cancellation takes no stock.
        """
        return await told(services, channel, "cancellation", order_ref, data)

    @post("/{order_ref:str}/shipments", guards=[WRITE], responses=RESPONSES)
    async def tell_shipment(
        self,
        channel: PathText,
        order_ref: PathText,
        data: JSONBody[ShipmentTold],
        services: Services,
    ) -> Response[EventAnswer]:
        """All that is open of an order (no `lines`), or units of its lines, left the house."""
        return await told(services, channel, "shipment", order_ref, data)
