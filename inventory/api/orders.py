"""The REST door for orders: an own store tells its sales, cancellations and shipments."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from litestar import Controller, Response, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody
from msgspec import UNSET, Struct, UnsetType

from inventory.api.bodies import OneOrMany
from inventory.api.context import Asked, Services, Shop, needs, parts_of
from inventory.api.paging import PathText
from inventory.api.problems import NotTogether, WrongPart, problems
from inventory.errors import BadInput, ContentDiffers, WrongState
from inventory.events import (
    TOLD_MAX,
    CancellationTold,
    Event,
    OrdersTold,
    SaleTold,
    ShipmentTold,
)
from inventory.fields import moment
from inventory.security import Scope
from inventory.telling import Answer, Told
from inventory.vocabulary import Kind

WRITE = needs(Scope.ORDERS_WRITE)
OWN = frozenset({Kind.OWN_STORE.value})


class EventAnswer(Struct, frozen=True, kw_only=True):
    """Where an event stands: handled, or parked with the code that says what a person must do.

    `event` is its number among the events; what was booked at once has none.
    """

    state: str
    code: str
    detail: str
    repeated: bool
    event: int | UnsetType = UNSET


class OrderOutcome(EventAnswer, frozen=True, kw_only=True):
    """Where one of many orders stands: handled, parked, or conflict (kept and not applied)."""

    event_id: str
    order_ref: str


class OrdersAnswer(Struct, frozen=True, kw_only=True):
    """What became of many orders, in the order in which they were told."""

    outcomes: list[OrderOutcome]
    handled: int
    parked: int
    conflicts: int


EitherAnswer: Any = EventAnswer | OrdersAnswer
RESPONSES = {
    200: ResponseSpec(EventAnswer, description="Told before; nothing changed"),
    202: ResponseSpec(EventAnswer, description="Stored and parked: a person must act, then replay"),
    **problems(404, 409, 429, 503),
}


class OrderBody(OneOrMany):
    """One order, or many in `orders`."""

    one = msgspec.json.Decoder(SaleTold, strict=False)
    many = msgspec.json.Decoder(OrdersTold, strict=False)
    member = "orders"


async def own_store(services: Services, code: str) -> Shop:
    """The channel that tells us about itself. Raises `NotFound`, `WrongState` for other kinds."""
    channel = await services.shops.get(code)
    if channel.kind not in OWN:
        raise WrongState(f"a {channel.kind} channel does not tell its orders here")
    return channel


def _told(channel_id: int, order_ref: str, event: Event) -> Told:
    """The event as the door takes it. Raises `BadInput` for what msgspec does not see."""
    for time in (event.occurred_at, getattr(event, "ship_by", None)):
        if time is not None:
            moment(time)
    if "/" in order_ref or not order_ref.isascii() or not order_ref.isprintable():
        raise BadInput("an order_ref has printable ASCII characters and no slash")
    return Told(channel_id, order_ref, event)


async def tell_one(
    services: Services, channel_code: str, order_ref: str, event: Event
) -> Response[Any]:
    """Tell one event and say where it stands."""
    channel = await own_store(services, channel_code)
    [answer] = await services.door.tell([_told(channel.id, order_ref, event)])
    if answer.state == "conflict":
        raise ContentDiffers(f"{answer.detail}; kept as event {answer.event}")
    if answer.state != "handled":
        return Response(EventAnswer(**_about(answer)), status_code=202)
    if not answer.repeated:
        services.bell.ring("refresh")
    return Response(EventAnswer(**_about(answer)), status_code=200 if answer.repeated else 201)


def _about(answer: Answer) -> dict[str, Any]:
    return {
        "state": answer.state,
        "code": answer.code,
        "detail": answer.detail,
        "repeated": answer.repeated,
        "event": UNSET if answer.event is None else answer.event,
    }


async def tell_many(services: Services, channel_code: str, many: OrdersTold) -> Response[Any]:
    """Tell many orders; those that belong together all or none (`NotTogether`)."""
    if sum(len(order.lines) for order in many.orders) > TOLD_MAX:
        raise BadInput(f"at most {TOLD_MAX} lines in one call")
    channel = await own_store(services, channel_code)
    told = [_told(channel.id, order.order_ref, order) for order in many.orders]
    answers = await services.door.tell(told, together=many.together)
    if any(answer.state == "handled" and not answer.repeated for answer in answers):
        services.bell.ring("refresh")
    states = Counter(answer.state for answer in answers)
    if many.together and states["handled"] < len(answers):
        raise NotTogether(_wrong_parts(answers))
    outcomes = [
        OrderOutcome(event_id=order.event_id, order_ref=order.order_ref, **_about(answer))
        for order, answer in zip(many.orders, answers, strict=True)
    ]
    counts = {"parked": states["parked"] + states["new"], "conflicts": states["conflict"]}
    done = OrdersAnswer(outcomes=outcomes, handled=states["handled"], **counts)
    return Response(done, status_code=200)


def _wrong_parts(answers: list[Answer]) -> tuple[WrongPart, ...]:
    return tuple(
        WrongPart(message=answer.detail, where=f"body.orders[{number}]", code=answer.code)
        for number, answer in enumerate(answers)
        if answer.state != "handled" and answer.code != NotTogether.code
    )


class OrderController(Controller):
    """What an own store tells us. `event_id` names what happened: tell it again until answered.

    New is 201, repeated is 200, parked is 202 (nothing is lost: it is handled once the cause is
    put right). The same `event_id` with other content is 409 and kept among the events.
    """

    path = "/channels/{channel:str}/orders"
    tags = ("Own store",)

    @post(
        guards=[WRITE],
        dto=OrderBody,
        return_dto=None,
        responses={
            **RESPONSES,
            200: ResponseSpec(
                EitherAnswer,
                description="Told before; or many orders were told",
                generate_examples=False,
            ),
        },
    )
    async def tell_order(
        self, channel: PathText, data: JSONBody[SaleTold | OrdersTold], request: Asked
    ) -> Response[EventAnswer]:
        """An order was placed. It is recorded even where stock falls below zero: it did happen.

        `reservation_ref` names a reservation that this order fulfils; what the order does not take
        of it is released, or stays held with `keep_rest`. An unknown `channel_sku` parks the order
        (202, `unknown_listing`).

        Many at once: `{"orders": […]}`, up to 1,000 with up to 1,000 lines in all, answered with
        200 and where each stands. With `"together": true` all are recorded or none: one that cannot
        be is 409 `not_together`, `errors` says which and why, and nothing is parked.
        """
        services = parts_of(request.app.state)
        if isinstance(data, OrdersTold):
            return await tell_many(services, channel, data)
        return await tell_one(services, channel, data.order_ref, data)

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
        return await tell_one(services, channel, order_ref, data)

    @post("/{order_ref:str}/shipments", guards=[WRITE], responses=RESPONSES)
    async def tell_shipment(
        self,
        channel: PathText,
        order_ref: PathText,
        data: JSONBody[ShipmentTold],
        services: Services,
    ) -> Response[EventAnswer]:
        """All that is open of an order (no `lines`), or units of its lines, left the house."""
        return await tell_one(services, channel, order_ref, data)
