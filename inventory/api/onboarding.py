"""Connecting a shop step by step: what its listings are, its shadow, and letting it go live."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

from litestar import Controller, get, post
from litestar.params import Body, JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK
from msgspec import Meta, Struct

from inventory import connections, matches, matching, past_orders, shadow
from inventory.api.context import Caller, Services, needs
from inventory.api.paging import (
    SMALL_ID_MAX,
    Cursor,
    Limit,
    Page,
    PathText,
    decoded,
    encoded,
    id_in,
    page,
)
from inventory.api.problems import problems
from inventory.fields import Code, Ref
from inventory.matches import Applied
from inventory.matching import Match, MatchRow
from inventory.past_orders import Reading
from inventory.reports import channels
from inventory.reports.channels import ChannelRow
from inventory.security import Scope
from inventory.shadow import ShadowRow, ShadowTotals

READ = needs(Scope.STOCK_READ)
WRITE = needs(Scope.CHANNELS_WRITE)
PICKS_MAX = 1_000

Differing = Annotated[
    bool, QueryParameter(name="differing", description="Only those whose number would change.")
]
InState = Annotated[
    Match | None,
    QueryParameter(name="state", required=False, description="Only listings in this state."),
]


class Matching(Struct, frozen=True, kw_only=True):
    """A channel's discovered listings by what their codes say; `counts` are of all of them."""

    counts: dict[str, int]
    items: list[MatchRow]
    next: str | None


class Picked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person decided: this listing is that SKU."""

    channel_sku: Ref
    sku: Code


class MatchOrder(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shall be put to use: all that matches, and `picks`; `duplicates` as well if so."""

    duplicates: bool = False
    picks: Annotated[list[Picked], Meta(max_length=PICKS_MAX)] = []


class Shadow(Struct, frozen=True, kw_only=True):
    """What would be published, beside what is shown; `totals` are of all listings."""

    totals: ShadowTotals
    items: list[ShadowRow]
    next: str | None


class HistoryOrder(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far back past orders shall be read."""

    days: Annotated[int, Meta(ge=1, le=past_orders.DAYS_MAX)] = past_orders.DAYS_MAX


HistoryShown = Annotated[Reading | None, Body(schema_component_key="HistoryReading")]


class OnboardingController(Controller):
    """A shop between its connection and its first published number."""

    path = "/channels/{channel:str}"
    tags = ("Channels",)

    @get("/matching", guards=[READ], responses=problems(404, 409))
    async def get_matching(
        self,
        channel: PathText,
        services: Services,
        limit: Limit = 100,
        cursor: Cursor = None,
        in_state: InState = None,
    ) -> Matching:
        """Which SKU each discovered listing is, by the codes that the shop wrote there.

        409 `wrong_state` before the first discovery (`hikiate channel discover`).
        """
        after = decoded(cursor, str, start="")
        async with services.database.sessions() as session:
            found = await connections.channel_by_code(session, channel)
            rows = await matches.preview(session, found.id)
        return await asyncio.to_thread(_matching, rows, in_state, after, limit)

    @post("/matching", guards=[WRITE], status_code=HTTP_200_OK, responses=problems(404, 409))
    async def apply_matching(
        self, channel: PathText, data: JSONBody[MatchOrder], services: Services, caller: Caller
    ) -> Applied:
        """List what matches one SKU, and what a person picked; all or nothing.

        Events that waited for one of these listings are handled once more.
        """
        async with services.database.transaction() as session:
            found = await connections.channel_by_code(session, channel)
            applied = await matches.apply(
                session,
                found.id,
                duplicates=data.duplicates,
                picks={pick.channel_sku: pick.sku for pick in data.picks},
                by=caller.name,
                now=services.clock.now(),
            )
        services.bell.ring("process")
        services.bell.ring("refresh")
        return applied

    @get("/shadow", guards=[READ], responses=problems(404))
    async def get_shadow(
        self,
        channel: PathText,
        services: Services,
        limit: Limit = 100,
        cursor: Cursor = None,
        differing: Differing = False,  # noqa: FBT002 -- a query parameter, given by its name
    ) -> Shadow:
        """What would be published to the channel, beside what it shows."""
        after_id = id_in(cursor, most=SMALL_ID_MAX)
        async with services.database.sessions() as session:
            found = await connections.channel_by_code(session, channel)
            totals = await shadow.totals(session, found.id)
            rows = await shadow.rows(
                session, found.id, after_id=after_id, limit=limit + 1, differing=differing
            )
        part: Page[ShadowRow] = page(rows, limit, lambda row: row.id)
        return Shadow(totals=totals, items=part.items, next=part.next)

    @post("/go", guards=[WRITE], status_code=HTTP_200_OK, responses=problems(404, 409))
    async def go_live(self, channel: PathText, services: Services, caller: Caller) -> ChannelRow:
        """Let a channel go live: from now on our numbers are published to it."""
        async with services.database.transaction() as session:
            changed = await connections.go_live(
                session, channel, by=caller.name, now=services.clock.now()
            )
            await session.flush()
            row = await channels.channel(session, changed.id)
        services.bell.ring("refresh")
        return row

    @get("/history", guards=[READ], responses=problems(404))
    async def get_history_reading(self, channel: PathText, services: Services) -> HistoryShown:
        """How far the channel's past orders have been read; null where nobody asked for it."""
        async with services.database.sessions() as session:
            found = await connections.channel_by_code(session, channel)
            return await past_orders.reading(session, found.id)

    @post("/history", guards=[WRITE], status_code=HTTP_200_OK, responses=problems(404))
    async def read_history(
        self, channel: PathText, data: JSONBody[HistoryOrder], services: Services
    ) -> Reading:
        """Have past orders read in the background, for the metric; no stock moves by them."""
        async with services.database.transaction() as session:
            found = await connections.channel_by_code(session, channel)
            reading = await past_orders.ask(
                session, found.id, days=data.days, now=services.clock.now()
            )
        services.bell.ring("sweep")
        return reading


def _matching(rows: Sequence[MatchRow], in_state: Match | None, after: str, limit: int) -> Matching:
    # In the cursor's own order: the database may have another.
    wanted = [
        row
        for row in sorted(rows, key=lambda row: row.channel_sku)
        if row.channel_sku > after and (in_state is None or row.state is in_state)
    ]
    more = len(wanted) > limit
    items = wanted[:limit]
    return Matching(
        counts=matching.counts(rows),
        items=items,
        next=encoded(items[-1].channel_sku) if more else None,
    )
