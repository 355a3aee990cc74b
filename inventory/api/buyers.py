"""Buyers and the desk: their wishes on record, messages drafted for them, the decision table."""

from __future__ import annotations

from typing import Annotated

from litestar import Controller, get, post
from litestar.params import Body, JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK
from msgspec import Struct

from inventory.api.context import Caller, Services, needs
from inventory.api.paging import ID_MAX, Cursor, Id, Limit, Page, PathText, id_in, page
from inventory.api.problems import problems
from inventory.decision_table import shown
from inventory.decision_table.shown import TableShown
from inventory.desk import buyer_requests, messages
from inventory.desk.buyer_requests import BuyerAsked, BuyerRequestRow
from inventory.desk.messages import MessageRow
from inventory.fields import Text
from inventory.reasons import Asker, Extent, Market
from inventory.security import Scope

READ = needs(Scope.STOCK_READ)
DECIDE = needs(Scope.DESK_WRITE)

MarketFilter = Annotated[
    Market | None,
    QueryParameter(name="market", required=False, description="Only this marketplace's rows."),
]
AskerFilter = Annotated[
    Asker | None,
    QueryParameter(name="asker", required=False, description="Only rows about who asked."),
]
MessagePage = Annotated[Page[MessageRow], Body(schema_component_key="MessagePage")]


class Drafting(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which message is wanted: about the whole order, or about the part of it that is short."""

    extent: Extent = Extent.WHOLE


class DoneBy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The name of the person who did it, 1 to 100 characters."""

    person: Text


class BuyerRequestController(Controller):
    """A buyer's wish to cancel, as L10 wants it: on record before it is a reason."""

    path = "/channels/{channel:str}/orders/{order_ref:str}/buyer-request"
    tags = ("Desk",)

    @post(guards=[DECIDE], responses=problems(404, 409))
    async def record_buyer_request(
        self,
        channel: PathText,
        order_ref: PathText,
        data: JSONBody[BuyerAsked],
        services: Services,
        caller: Caller,
    ) -> BuyerRequestRow:
        """Record that the buyer asked to cancel, and propose it; a person approves, no policy.

        Rakuten and Yahoo!: the date of the buyer's message and its reference are needed, and 409
        `reason_refused` once a shortage case for a SKU of the order has opened. Amazon: the
        marketplace's own flag is needed, and must be older than our word of a shortage. No buyer
        data belongs into `reference`. The same again answers the same.
        """
        async with services.database.transaction() as session:
            row = await buyer_requests.record(
                session, channel, order_ref, data, by=caller.name, now=services.clock.now()
            )
        services.bell.ring("notify")
        return row

    @get(guards=[READ], responses=problems(404))
    async def get_buyer_request(
        self, channel: PathText, order_ref: PathText, services: Services
    ) -> BuyerRequestRow:
        """The wish on record for an order."""
        async with services.database.sessions() as session:
            return await buyer_requests.found(session, channel, order_ref)


class BuyerMessageController(Controller):
    """Messages to buyers whose order is given up, for a person to send: the house sends none."""

    path = "/cancellations/{cancellation_id:int}/message"
    tags = ("Desk",)

    @post(guards=[DECIDE], status_code=HTTP_200_OK, responses=problems(404, 409))
    async def draft_message(
        self, cancellation_id: Id, data: JSONBody[Drafting], services: Services
    ) -> MessageRow:
        """Draft it, or draft an unsent one anew; placeholders in 【】 are a person's to fill in."""
        async with services.database.transaction() as session:
            now = services.clock.now()
            await messages.draft(session, cancellation_id, now, extent=data.extent)
            return await messages.message(session, cancellation_id)

    @get(guards=[READ], responses=problems(404))
    async def get_message(self, cancellation_id: Id, services: Services) -> MessageRow:
        """The draft, the channel's rules for sending it, and whether it was sent."""
        async with services.database.sessions() as session:
            return await messages.message(session, cancellation_id)

    @post("/sent", guards=[DECIDE], status_code=HTTP_200_OK, responses=problems(404))
    async def mark_message_sent(
        self, cancellation_id: Id, data: JSONBody[DoneBy], services: Services, caller: Caller
    ) -> MessageRow:
        """A person has sent it. From now on a new request of this buyer is not his own wish."""
        async with services.database.transaction() as session:
            now = services.clock.now()
            await messages.mark_sent(
                session, cancellation_id, person=data.person, by=caller.name, now=now
            )
            return await messages.message(session, cancellation_id)

    @post("/repaid", guards=[DECIDE], status_code=HTTP_200_OK, responses=problems(404))
    async def mark_repaid(
        self, cancellation_id: Id, data: JSONBody[DoneBy], services: Services, caller: Caller
    ) -> MessageRow:
        """A person has seen to the refund, on the platform; its reminder ends."""
        async with services.database.transaction() as session:
            now = services.clock.now()
            await messages.mark_repaid(
                session, cancellation_id, person=data.person, by=caller.name, now=now
            )
            return await messages.message(session, cancellation_id)


class DeskController(Controller):
    """What the desk goes by, and what waits for its people."""

    path = "/desk"
    tags = ("Desk",)

    @get("/reasons", guards=[READ], responses=problems())
    async def get_reasons(
        self, market: MarketFilter = None, asker: AskerFilter = None
    ) -> TableShown:
        """The decision table: each row with its source, and the things that are never done.

        What no row lists is refused to a person.
        """
        return shown.shown(market, asker)

    @get("/messages", guards=[READ], responses=problems())
    async def list_unsent_messages(
        self, services: Services, limit: Limit = 100, cursor: Cursor = None
    ) -> MessagePage:
        """Messages that nobody has sent yet, newest first."""
        before_id = id_in(cursor, start=ID_MAX)
        async with services.database.sessions() as session:
            rows = await messages.unsent(session, before_id=before_id, limit=limit + 1)
        return page(rows, limit, lambda row: row.id)
