"""Events: what channels told us, what became of it, and handling it once more."""

from __future__ import annotations

from typing import Annotated, Literal

from litestar import Controller, get, post
from litestar.params import Body, JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK
from msgspec import Meta, Struct

from inventory import audit, inbox_desk
from inventory.api.context import Caller, Services, needs
from inventory.api.paging import ID_MAX, Cursor, Id, Limit, Page, id_in, page
from inventory.api.problems import problems
from inventory.fields import Text
from inventory.reports import desk
from inventory.reports.desk import Event, EventRow
from inventory.security import Scope

EventState = Annotated[
    Literal["new", "handled", "parked", "conflict"] | None,
    QueryParameter(name="state", required=False, description="Only events in this state."),
]
ChannelFilter = Annotated[
    str | None,
    QueryParameter(name="channel_code", required=False, description="Only those of this channel."),
]


EventPage = Annotated[Page[EventRow], Body(schema_component_key="EventPage")]


class Dismissal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why an event needs no handling."""

    reason: Annotated[Text, Meta(min_length=1)]


class EventController(Controller):
    """Nothing that a channel told us is lost; what could not be handled waits here."""

    path = "/events"
    tags = ("Events",)

    @get(guards=[needs(Scope.STOCK_READ)], responses=problems())
    async def list_events(
        self,
        services: Services,
        limit: Limit = 100,
        cursor: Cursor = None,
        in_state: EventState = None,
        channel_code: ChannelFilter = None,
    ) -> EventPage:
        """Events, newest first. `conflict`: the same id came with other content; never applied."""
        before_id = id_in(cursor, start=ID_MAX)
        async with services.database.sessions() as session:
            rows = await desk.events(
                session, state=in_state, channel=channel_code, before_id=before_id, limit=limit + 1
            )
        return page(rows, limit, lambda row: row.id)

    @get("/{event_id:int}", guards=[needs(Scope.STOCK_READ)], responses=problems(404))
    async def get_event(self, event_id: Id, services: Services) -> Event:
        """One event with what was told and what became of it."""
        async with services.database.sessions() as session:
            return await desk.event(session, event_id)

    @post(
        "/{event_id:int}/dismiss",
        guards=[needs(Scope.DESK_WRITE)],
        status_code=HTTP_200_OK,
        responses=problems(404, 409),
    )
    async def dismiss_event(
        self, event_id: Id, data: JSONBody[Dismissal], services: Services, caller: Caller
    ) -> Event:
        """Say that a parked event needs no handling, such as one that cannot be read at all."""
        async with services.database.transaction() as session:
            await inbox_desk.dismiss(
                session,
                event_id,
                reason=data.reason,
                by=caller.name,
                now=services.clock.now(),
            )
            return await desk.event(session, event_id)

    @post(
        "/{event_id:int}/replay",
        guards=[needs(Scope.DESK_WRITE)],
        status_code=HTTP_200_OK,
        responses=problems(404, 409),
    )
    async def replay_event(self, event_id: Id, services: Services, caller: Caller) -> Event:
        """Handle a parked event once more, after its cause was put right."""
        await services.inbox.replay(event_id)
        async with services.database.transaction() as session:
            audit.note(
                session,
                by=caller.name,
                action="event.replayed",
                detail={"event": event_id},
                now=services.clock.now(),
            )
            event = await desk.event(session, event_id)
        services.bell.ring("refresh")
        return event
