"""Drift: what channels show beside what they should; and pushing a whole channel once more."""

from __future__ import annotations

from typing import Annotated

from litestar import Controller, get, post
from litestar.params import Body, QueryParameter
from litestar.status_codes import HTTP_202_ACCEPTED

from inventory import resyncs
from inventory.api.context import Caller, Services, needs
from inventory.api.events import ChannelFilter
from inventory.api.paging import ID_MAX, Cursor, Limit, Page, PathText, id_in, page
from inventory.api.problems import problems
from inventory.reports import drift
from inventory.reports.drift import DriftRow
from inventory.resyncs import Progress
from inventory.security import Scope

OpenOnly = Annotated[
    bool | None,
    QueryParameter(name="open", required=False, description="true: only open cases; false: ended."),
]

DriftPage = Annotated[Page[DriftRow], Body(schema_component_key="DriftPage")]


class DriftController(Controller):
    """Differences between what a channel showed and what was expected."""

    path = "/drift"
    tags = ("Channels",)

    @get(guards=[needs(Scope.STOCK_READ)], responses=problems())
    async def list_drift(
        self,
        services: Services,
        limit: Limit = 100,
        cursor: Cursor = None,
        channel_code: ChannelFilter = None,
        is_open: OpenOnly = None,
    ) -> DriftPage:
        """Cases, newest first, each with its cause and its story."""
        before_id = id_in(cursor, start=ID_MAX)
        async with services.database.sessions() as session:
            rows = await drift.drift(
                session, channel=channel_code, open_=is_open, before_id=before_id, limit=limit + 1
            )
        return page(rows, limit, lambda row: row.id)


class ResyncController(Controller):
    """Pushing every listing of a channel once more."""

    path = "/channels/{channel:str}/resync"
    tags = ("Channels",)

    @post(
        guards=[needs(Scope.CHANNELS_WRITE)],
        status_code=HTTP_202_ACCEPTED,
        responses=problems(404, 409),
    )
    async def start_resync(self, channel: PathText, services: Services, caller: Caller) -> Progress:
        """Have every listing pushed again, behind all numbers that change; asking again restarts.

        A number that could give back sold units waits for its barrier here as well.
        """
        now = services.clock.now()
        async with services.database.transaction() as session:
            await resyncs.start(session, channel, by=caller.name, now=now)
            begun = await resyncs.progress(session, channel, now)
        services.bell.ring("sweep")
        return begun

    @get(guards=[needs(Scope.STOCK_READ)], responses=problems(404))
    async def get_resync(self, channel: PathText, services: Services) -> Progress:
        """How far the channel's last resync is."""
        async with services.database.sessions() as session:
            return await resyncs.progress(session, channel, services.clock.now())
