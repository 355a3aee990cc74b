"""The REST door for requests: holding units for a basket, and the number that a store may show."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from litestar import Controller, Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK
from msgspec import Meta, Struct, to_builtins

from inventory import inbox_desk
from inventory.api.bodies import Read
from inventory.api.context import Asked, Services, needs, parts_of
from inventory.api.orders import own_store
from inventory.api.paging import PathText
from inventory.api.problems import Refused, problems
from inventory.errors import BadInput, ContentDiffers
from inventory.events import LINES_MAX
from inventory.facts import Outcome, ReservationAsked, ReservationReleased, SaleLine, Status
from inventory.fields import Code, Moment, Ref, Units, moment
from inventory.reports import channels, warehouse
from inventory.reports.channels import Availability
from inventory.reports.warehouse import ReservationShown
from inventory.security import Scope

HOLD_DAYS_MAX = 30
# What the names of other facts of a channel begin with.
TAKEN = ("sale:", "cancellation:", "shipment:", "release:", "expired:")


class HeldLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Units of one listing to be held."""

    line_ref: Ref
    channel_sku: Ref
    quantity: Units


class NewReservation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Units to be held, all or none, until `expires_at` (at most 30 days ahead) if given."""

    reservation_ref: Code
    lines: Annotated[list[HeldLine], Meta(min_length=1, max_length=LINES_MAX)]
    expires_at: Moment | None = None


class ReservationBody(Read):
    """One reservation."""

    one = msgspec.json.Decoder(NewReservation, strict=False)


class ReservationAnswer(Struct, frozen=True, kw_only=True):
    """What became of a reservation. `repeated`: it was asked before, and this is what was said."""

    reservation_ref: str
    status: Status
    repeated: bool


class ReservationController(Controller):
    """Requests may be refused; a refusal leaves stock as it was."""

    path = "/channels/{channel:str}"
    tags = ("Own store",)

    @post(
        "/reservations",
        guards=[needs(Scope.ORDERS_WRITE)],
        responses={
            200: ResponseSpec(ReservationAnswer, description="Asked and granted before"),
            **problems(404, 409, 429, 503),
        },
        dto=ReservationBody,
        return_dto=None,
    )
    async def ask_reservation(
        self, channel: PathText, data: JSONBody[NewReservation], request: Asked
    ) -> Response[ReservationAnswer]:
        """Hold units: granted in full (201) or refused (409 `insufficient_stock`), at once.

        The answer to a `reservation_ref` never changes; ask again under a new one. An order that
        names it takes the units held, all of them or in part (`keep_rest`).
        """
        services = parts_of(request.app.state)
        shop = await own_store(services, channel)
        fact = _asked(data, shop.id, services.clock.now())
        [outcome] = await services.ledger.apply([fact])
        if outcome.status is Status.CONFLICT:
            async with services.database.transaction() as session:
                event_id = await inbox_desk.keep_conflict(
                    session,
                    channel_id=shop.id,
                    event_id=data.reservation_ref,
                    kind="reservation",
                    subject=data.reservation_ref,
                    body=to_builtins(data),
                    now=services.clock.now(),
                )
            raise ContentDiffers(f"{outcome.detail}; kept as event {event_id}")
        return _answer(services, data.reservation_ref, outcome, status_code=201)

    @get(
        "/reservations/{reservation_ref:str}",
        guards=[needs(Scope.STOCK_READ)],
        responses=problems(404),
    )
    async def get_reservation(
        self, channel: PathText, reservation_ref: PathText, services: Services
    ) -> ReservationShown:
        """What is held now, SKU by SKU and location by location, and until when.

        `ended`: released, expired, or all of it went to orders.
        """
        shop = await own_store(services, channel)
        async with services.database.sessions() as session:
            return await warehouse.reservation(session, shop.id, reservation_ref)

    @post(
        "/reservations/{reservation_ref:str}/release",
        guards=[needs(Scope.ORDERS_WRITE)],
        status_code=HTTP_200_OK,
        responses=problems(404, 409, 429, 503),
    )
    async def release_reservation(
        self, channel: PathText, reservation_ref: PathText, services: Services
    ) -> Response[ReservationAnswer]:
        """Give held units back; releasing twice changes nothing."""
        shop = await own_store(services, channel)
        fact = ReservationReleased(
            channel_id=shop.id,
            fact_ref=f"release:{reservation_ref}",
            occurred_at=services.clock.now(),
            reservation_ref=reservation_ref,
        )
        [outcome] = await services.ledger.apply([fact])
        return _answer(services, reservation_ref, outcome, status_code=200)

    @get("/availability", guards=[needs(Scope.STOCK_READ)], responses=problems(404))
    async def get_availability(
        self,
        channel: PathText,
        services: Services,
        channel_sku: Annotated[
            str, QueryParameter(name="channel_sku", min_length=1, max_length=200)
        ],
    ) -> Availability:
        """How many units the store may show for a listing now, and why, in one sentence."""
        shop = await services.shops.get(channel)
        async with services.database.sessions() as session:
            return await channels.availability(session, shop.id, channel_sku, services.clock.now())


def _asked(asked: NewReservation, channel_id: int, now: datetime) -> ReservationAsked:
    if asked.reservation_ref.startswith(TAKEN):
        raise BadInput(f"a reservation_ref does not begin with {', '.join(TAKEN)}")
    lines = tuple(
        [
            SaleLine(line_ref=line.line_ref, channel_sku=line.channel_sku, quantity=line.quantity)
            for line in asked.lines
        ]
    )
    return ReservationAsked(
        channel_id=channel_id,
        fact_ref=asked.reservation_ref,
        occurred_at=now,
        lines=lines,
        expires_at=_expiry(asked.expires_at, now),
    )


def _expiry(expires_at: datetime | None, now: datetime) -> datetime | None:
    if expires_at is None:
        return None
    expiry = moment(expires_at)
    if expiry > now + timedelta(days=HOLD_DAYS_MAX):
        raise BadInput(f"a reservation may be held for {HOLD_DAYS_MAX} days")
    return expiry


def _answer(
    services: Services, reservation_ref: str, outcome: Outcome, *, status_code: int
) -> Response[ReservationAnswer]:
    if outcome.status in {Status.REFUSED, Status.CONFLICT}:
        raise Refused(outcome.code, outcome.detail)
    if not outcome.repeated:
        services.bell.ring("refresh")
    answer = ReservationAnswer(
        reservation_ref=reservation_ref, status=outcome.status, repeated=outcome.repeated
    )
    return Response(answer, status_code=200 if outcome.repeated else status_code)
