"""The oversell desk: cases with their story, cancellations to decide, penalties on record."""

from __future__ import annotations

from typing import Annotated, Literal

from litestar import Controller, get, post
from litestar.params import Body, QueryParameter
from litestar.status_codes import HTTP_200_OK

from inventory.api.context import Caller, Services, needs
from inventory.api.events import ChannelFilter
from inventory.api.paging import ID_MAX, Cursor, Id, Limit, Page, id_in, page
from inventory.api.problems import problems
from inventory.oversells import decide_cancellation
from inventory.reports import desk
from inventory.reports.desk import CancellationRow, OversellRow, PenaltyRow
from inventory.security import Scope
from inventory.story import oversell
from inventory.story.oversell import OversellStory

READ = needs(Scope.STOCK_READ)
DECIDE = needs(Scope.DESK_WRITE)

CaseState = Annotated[
    Literal["open", "closed"] | None,
    QueryParameter(name="state", required=False, description="Only cases in this state."),
]
CancellationState = Annotated[
    Literal["proposed", "approved", "refused", "submitted", "confirmed", "failed", "observed"]
    | None,
    QueryParameter(name="state", required=False, description="Only cancellations in this state."),
]


OversellPage = Annotated[Page[OversellRow], Body(schema_component_key="OversellPage")]
CancellationPage = Annotated[Page[CancellationRow], Body(schema_component_key="CancellationPage")]
PenaltyPage = Annotated[Page[PenaltyRow], Body(schema_component_key="PenaltyPage")]


class OversellController(Controller):
    """Shortages: more units promised than there are."""

    path = "/oversells"
    tags = ("Desk",)

    @get(guards=[READ], responses=problems())
    async def list_oversells(
        self,
        services: Services,
        limit: Limit = 100,
        cursor: Cursor = None,
        in_state: CaseState = None,
    ) -> OversellPage:
        """Cases, newest first."""
        before_id = id_in(cursor, start=ID_MAX)
        async with services.database.sessions() as session:
            rows = await desk.oversells(
                session, state=in_state, before_id=before_id, limit=limit + 1
            )
        return page(rows, limit, lambda row: row.id)

    @get("/{oversell_id:int}", guards=[READ], responses=problems(404))
    async def get_oversell(self, oversell_id: Id, services: Services) -> OversellStory:
        """One oversell, one story: sales, listings, the delay, the decisions and the cost.

        Who sold what when, and when it reached us; what each listing showed and was told at each
        moment; where the delay was; what was decided and why; what it cost. It is bounded, and
        what is left out is counted. Times are UTC.
        """
        async with services.database.sessions() as session:
            return await oversell.tell(session, oversell_id, services.clock.now())


class CancellationController(Controller):
    """Orders that end without being shipped."""

    path = "/cancellations"
    tags = ("Desk",)

    @get(guards=[READ], responses=problems())
    async def list_cancellations(
        self,
        services: Services,
        limit: Limit = 100,
        cursor: Cursor = None,
        in_state: CancellationState = None,
    ) -> CancellationPage:
        """Cancellations, newest first; `proposed` ones wait for a decision."""
        before_id = id_in(cursor, start=ID_MAX)
        async with services.database.sessions() as session:
            rows = await desk.cancellations(
                session, state=in_state, before_id=before_id, limit=limit + 1
            )
        return page(rows, limit, lambda row: row.id)

    @get("/{cancellation_id:int}", guards=[READ], responses=problems(404))
    async def get_cancellation(self, cancellation_id: Id, services: Services) -> CancellationRow:
        """One cancellation and where it stands."""
        async with services.database.sessions() as session:
            return await desk.cancellation(session, cancellation_id)

    @post(
        "/{cancellation_id:int}/approve",
        guards=[DECIDE],
        status_code=HTTP_200_OK,
        responses=problems(404, 409),
    )
    async def approve_cancellation(
        self, cancellation_id: Id, services: Services, caller: Caller
    ) -> CancellationRow:
        """Give the order up at its channel, with the reason code that was proposed."""
        return await _decide(services, caller, cancellation_id, approve=True)

    @post(
        "/{cancellation_id:int}/refuse",
        guards=[DECIDE],
        status_code=HTTP_200_OK,
        responses=problems(404, 409),
    )
    async def refuse_cancellation(
        self, cancellation_id: Id, services: Services, caller: Caller
    ) -> CancellationRow:
        """Keep the order; its shipping hold ends."""
        return await _decide(services, caller, cancellation_id, approve=False)


async def _decide(
    services: Services, caller: Caller, cancellation_id: int, *, approve: bool
) -> CancellationRow:
    async with services.database.transaction() as session:
        await decide_cancellation(
            session, cancellation_id, approve=approve, by=caller.name, now=services.clock.now()
        )
        await session.flush()
        row = await desk.cancellation(session, cancellation_id)
    services.bell.ring("desk")
    return row


class PenaltyController(Controller):
    """What cancellations did to the marketplaces' metrics."""

    path = "/penalties"
    tags = ("Desk",)

    @get(guards=[READ], responses=problems())
    async def list_penalties(
        self,
        services: Services,
        limit: Limit = 100,
        cursor: Cursor = None,
        channel_code: ChannelFilter = None,
    ) -> PenaltyPage:
        """Penalty entries, newest first, each with the metric before and after."""
        before_id = id_in(cursor, start=ID_MAX)
        async with services.database.sessions() as session:
            rows = await desk.penalties(
                session, channel=channel_code, before_id=before_id, limit=limit + 1
            )
        return page(rows, limit, lambda row: row.id)
