"""Movements by hand: what the warehouse desk tells, one at a time or up to 1,000 in one call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

from litestar import Controller, Response, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Body, JSONBody
from litestar.status_codes import HTTP_200_OK
from msgspec import Meta, Struct, to_builtins

from inventory import inbox_desk
from inventory.api.context import Caller, Services, needs
from inventory.api.moves import Move, fact_of, subject_of
from inventory.api.problems import NotTogether, Refused, WrongPart, problems
from inventory.errors import BadInput, ContentDiffers
from inventory.facts import FACTS_MAX, HOUSE_CHANNEL_ID, Fact, Outcome, Status
from inventory.security import Caller as Teller
from inventory.security import Scope

WRITE = needs(Scope.STOCK_WRITE)


class Moves(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Up to 1,000 movements; `together`: all are recorded, or none."""

    lines: Annotated[list[Move], Meta(min_length=1, max_length=FACTS_MAX)]
    together: bool = False


class Moved(Struct, frozen=True, kw_only=True):
    """What became of a movement. `repeated`: it was recorded before, under the same `ref`.

    `code` and `detail` say why it was refused, or what is to be done: `recount_wanted` for a count
    far from the book.
    """

    ref: str
    status: Status
    code: str
    detail: str
    repeated: bool


class AllMoved(Struct, frozen=True, kw_only=True):
    """What became of many movements, in their order. In conflict counts as refused."""

    outcomes: list[Moved]
    recorded: int
    refused: int


def _moved(ref: str, outcome: Outcome) -> Moved:
    return Moved(
        ref=ref,
        status=outcome.status,
        code=outcome.code,
        detail=outcome.detail,
        repeated=outcome.repeated,
    )


class MovementController(Controller):
    """What the warehouse desk tells the ledger."""

    path = "/movements"
    tags = ("Stock",)

    @post(
        guards=[WRITE],
        responses={
            200: ResponseSpec(Moved, description="Recorded before; nothing changed"),
            **problems(404, 409, 429, 503),
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
        [outcome] = await services.ledger.apply([fact_of(data, services.clock.now())])
        if outcome.status is Status.CONFLICT:
            [event_id] = await _keep_conflicts(services, [data], caller)
            raise ContentDiffers(f"{outcome.detail}; kept as event {event_id}")
        if outcome.status is Status.REFUSED:
            raise Refused(outcome.code, outcome.detail)
        if not outcome.repeated:
            services.bell.ring("refresh")
        status_code = 200 if outcome.repeated else 201
        return Response(_moved(data.ref, outcome), status_code=status_code)

    @post(
        "/batch",
        guards=[WRITE],
        status_code=HTTP_200_OK,
        responses=problems(409, 429, 503),
    )
    async def record_movements(
        self, data: JSONBody[Moves], services: Services, caller: Caller
    ) -> AllMoved:
        """Record up to 1,000 movements in one commit, and say what became of each.

        One that cannot be recorded is refused alone. With `"together": true` all are recorded or
        none: then it is 409 `not_together`, and `errors` says which and why. What is in conflict
        is kept among the events.
        """
        facts = _facts(data.lines, services)
        outcomes = await services.ledger.apply(facts, together=data.together)
        pairs = list(zip(data.lines, outcomes, strict=True))
        differing = [move for move, outcome in pairs if outcome.status is Status.CONFLICT]
        await _keep_conflicts(services, differing, caller)
        recorded = [outcome for outcome in outcomes if outcome.status is Status.RECORDED]
        if data.together and len(recorded) < len(outcomes):
            raise NotTogether(_wrong_parts(outcomes))
        if any(not outcome.repeated for outcome in recorded):
            services.bell.ring("refresh")
        return AllMoved(
            outcomes=[_moved(move.ref, outcome) for move, outcome in pairs],
            recorded=len(recorded),
            refused=len(outcomes) - len(recorded),
        )


def _facts(moves: Iterable[Move], services: Services) -> list[Fact]:
    now = services.clock.now()
    facts = []
    for number, move in enumerate(moves):
        try:
            facts.append(fact_of(move, now))
        except BadInput as error:
            raise BadInput(f"lines[{number}]: {error}") from None
    return facts


async def _keep_conflicts(services: Services, moves: Sequence[Move], caller: Teller) -> list[int]:
    """Keep movements whose `ref` was used before for something else; their ids as events."""
    if not moves:
        return []
    # In one order, so that two calls with the same movements do not wait for each other.
    in_order = sorted(moves, key=lambda move: move.ref)
    async with services.database.transaction() as session:
        return [
            await inbox_desk.keep_conflict(
                session,
                channel_id=HOUSE_CHANNEL_ID,
                event_id=move.ref,
                kind="movement",
                subject=subject_of(move),
                body=to_builtins(move) | {"told_by": caller.name},
                now=services.clock.now(),
            )
            for move in in_order
        ]


def _wrong_parts(outcomes: Sequence[Outcome]) -> tuple[WrongPart, ...]:
    return tuple(
        WrongPart(message=outcome.detail, where=f"body.lines[{number}]", code=outcome.code)
        for number, outcome in enumerate(outcomes)
        if outcome.status is not Status.RECORDED and outcome.code != NotTogether.code
    )
