"""Channels: the connected shops, their rules, and the switches that stop publishing."""

from __future__ import annotations

from typing import Annotated

from litestar import Controller, get, patch, post
from litestar.params import Body, JSONBody
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED
from msgspec import Struct

from inventory import connections
from inventory.api.context import Caller, Services, needs
from inventory.api.paging import SMALL_ID_MAX, Cursor, Limit, Page, PathText, id_in, page
from inventory.api.problems import problems
from inventory.connections import ChannelChange, NewChannel
from inventory.reports import channels
from inventory.reports.channels import ChannelRow
from inventory.security import Scope

READ = needs(Scope.STOCK_READ)
WRITE = needs(Scope.CHANNELS_WRITE)


ChannelPage = Annotated[Page[ChannelRow], Body(schema_component_key="ChannelPage")]


class Frozen(Struct, frozen=True, kw_only=True):
    """Whether publishing is stopped everywhere."""

    frozen: bool


class ChannelController(Controller):
    """The connected shops."""

    path = "/channels"
    tags = ("Channels",)

    @get(guards=[READ], responses=problems())
    async def list_channels(
        self, services: Services, limit: Limit = 100, cursor: Cursor = None
    ) -> ChannelPage:
        """Channels in order of connection; credentials are never shown."""
        after_id = id_in(cursor, most=SMALL_ID_MAX)
        async with services.database.sessions() as session:
            rows = await channels.channels(session, after_id=after_id, limit=limit + 1)
        return page(rows, limit, lambda row: row.id)

    @post(guards=[WRITE], status_code=HTTP_201_CREATED, responses=problems(404, 409))
    async def connect_channel(
        self, data: JSONBody[NewChannel], services: Services, caller: Caller
    ) -> ChannelRow:
        """Connect a shop. Its credentials are sealed at once and cannot be read back.

        Unless it is `live`, nothing is published to it before `POST /v1/channels/{channel}/go`.
        """
        async with services.database.transaction() as session:
            channel = await connections.connect(
                session,
                data,
                vault=services.vault,
                check=services.check_connection,
                by=caller.name,
                now=services.clock.now(),
            )
            row = await channels.channel(session, channel.id)
        services.bell.ring("sweep")
        return row

    @get("/{channel:str}", guards=[READ], responses=problems(404))
    async def get_channel(self, channel: PathText, services: Services) -> ChannelRow:
        """One channel with its rules and how its pulls are doing."""
        async with services.database.sessions() as session:
            found = await connections.channel_by_code(session, channel)
            return await channels.channel(session, found.id)

    @patch("/{channel:str}", guards=[WRITE], responses=problems(404, 409))
    async def change_channel(
        self, channel: PathText, data: JSONBody[ChannelChange], services: Services, caller: Caller
    ) -> ChannelRow:
        """Change rules, desk policy, metrics, settings or credentials; what is left out stays."""
        async with services.database.transaction() as session:
            changed = await connections.change_channel(
                session,
                channel,
                data,
                vault=services.vault,
                check=services.check_connection,
                by=caller.name,
                now=services.clock.now(),
            )
            row = await channels.channel(session, changed.id)
        services.bell.ring("refresh")
        return row

    @post(
        "/{channel:str}/freeze",
        guards=[WRITE],
        status_code=HTTP_200_OK,
        responses=problems(404, 409),
    )
    async def freeze_channel(
        self, channel: PathText, services: Services, caller: Caller
    ) -> ChannelRow:
        """Stop publishing on this channel; its sales are recorded all the same."""
        return await _switch(services, caller, channel, frozen=True)

    @post(
        "/{channel:str}/unfreeze",
        guards=[WRITE],
        status_code=HTTP_200_OK,
        responses=problems(404, 409),
    )
    async def unfreeze_channel(
        self, channel: PathText, services: Services, caller: Caller
    ) -> ChannelRow:
        """Publish again; today's numbers go out. 409 for a channel that never went live."""
        return await _switch(services, caller, channel, frozen=False)


async def _switch(services: Services, caller: Caller, channel: str, *, frozen: bool) -> ChannelRow:
    async with services.database.transaction() as session:
        changed = await connections.set_frozen(
            session, channel, frozen=frozen, by=caller.name, now=services.clock.now()
        )
        row = await channels.channel(session, changed.id)
    services.bell.ring("refresh")
    return row


class FreezeController(Controller):
    """The switch that stops publishing on every channel."""

    tags = ("Channels",)

    @post("/freeze", guards=[WRITE], status_code=HTTP_200_OK, responses=problems())
    async def freeze_all(self, services: Services, caller: Caller) -> Frozen:
        """Stop publishing everywhere; sales are recorded all the same."""
        return await _switch_all(services, caller, frozen=True)

    @post("/unfreeze", guards=[WRITE], status_code=HTTP_200_OK, responses=problems())
    async def unfreeze_all(self, services: Services, caller: Caller) -> Frozen:
        """Publish again, except on channels that are frozen by themselves."""
        return await _switch_all(services, caller, frozen=False)


async def _switch_all(services: Services, caller: Caller, *, frozen: bool) -> Frozen:
    async with services.database.transaction() as session:
        await connections.set_all_frozen(
            session, frozen=frozen, by=caller.name, now=services.clock.now()
        )
    services.bell.ring("refresh")
    return Frozen(frozen=frozen)
