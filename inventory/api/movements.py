"""Movements by hand: units received, corrected, transferred, returned; each named by its caller."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Controller, Response, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Body
from msgspec import Struct, to_builtins

from inventory import facts as f
from inventory import inbox_desk
from inventory.api.context import HOUSE_CHANNEL_ID, Caller, Services, needs
from inventory.api.problems import Refused, problems
from inventory.errors import ContentDiffers
from inventory.facts import AdjustReason, Condition, Status
from inventory.fields import Change, Code, Count, Moment, Ref, Units, moment
from inventory.security import Scope


class _Move(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    ref: Ref
    sku: Code
    occurred_at: Moment | None = None


class Receive(_Move, frozen=True, kw_only=True, tag="receive"):
    """Units arrive and are counted; without `location` at the first sellable one."""

    quantity: Units
    location: Code | None = None


class Adjust(_Move, frozen=True, kw_only=True, tag="adjust"):
    """On hand is corrected by `change` units, or to `on_hand` units; give exactly one."""

    reason: AdjustReason
    change: Change | None = None
    on_hand: Count | None = None
    location: Code | None = None


class Transfer(_Move, frozen=True, kw_only=True, tag="transfer"):
    """Units move from one location to another; refused when fewer are on hand there."""

    quantity: Units
    from_location: Code
    to_location: Code


class Return(_Move, frozen=True, kw_only=True, tag="return"):
    """Shipped units come back and were looked at; `condition` says what they are."""

    quantity: Units
    condition: Condition
    location: Code | None = None


Move = Receive | Adjust | Transfer | Return


class Moved(Struct, frozen=True, kw_only=True):
    """What became of a movement. `repeated`: it was recorded before, under the same `ref`."""

    ref: str
    status: Status
    repeated: bool


def _fact(move: Move, services: Services) -> f.Fact:
    named: dict[str, Any] = {
        "channel_id": HOUSE_CHANNEL_ID,
        "fact_ref": move.ref,
        "occurred_at": moment(move.occurred_at or services.clock.now()),
        "sku": move.sku,
    }
    match move:
        case Receive():
            return f.StockReceived(**named, quantity=move.quantity, location=move.location)
        case Return():
            return f.ReturnAccepted(
                **named,
                quantity=move.quantity,
                condition=move.condition,
                location=move.location,
            )
        case Adjust():
            return f.StockAdjusted(
                **named,
                reason=move.reason,
                change=move.change,
                on_hand=move.on_hand,
                location=move.location,
            )
        case Transfer():
            return f.StockTransferred(
                **named,
                quantity=move.quantity,
                from_location=move.from_location,
                to_location=move.to_location,
            )


class MovementController(Controller):
    """What the warehouse desk tells the ledger."""

    path = "/movements"
    tags = ("Stock",)

    @post(
        guards=[needs(Scope.STOCK_WRITE)],
        responses={
            200: ResponseSpec(Moved, description="Recorded before; nothing changed"),
            **problems(404, 409),
        },
    )
    async def record_movement(
        self,
        data: Annotated[Move, Body(description="One movement; `kind` says which.")],
        services: Services,
        caller: Caller,
    ) -> Response[Moved]:
        """Record a movement once. `ref` names it, for ever: choose it before sending, then repeat.

        New is 201, repeated is 200. The same `ref` with other content is 409 and kept among the
        events, in state `conflict`; when it happened (`occurred_at`) is no part of the content.
        """
        [outcome] = await services.ledger.apply([_fact(data, services)])
        if outcome.status is Status.CONFLICT:
            async with services.database.transaction() as session:
                event_id = await inbox_desk.keep_conflict(
                    session,
                    channel_id=HOUSE_CHANNEL_ID,
                    event_id=data.ref,
                    kind="movement",
                    subject=data.sku,
                    body=to_builtins(data) | {"told_by": caller.name},
                    now=services.clock.now(),
                )
            raise ContentDiffers(f"{outcome.detail}; kept as event {event_id}")
        if outcome.status is Status.REFUSED:
            raise Refused(outcome.code, outcome.detail)
        if not outcome.repeated:
            services.bell.ring("refresh")
        done = Moved(ref=data.ref, status=outcome.status, repeated=outcome.repeated)
        return Response(done, status_code=200 if outcome.repeated else 201)
