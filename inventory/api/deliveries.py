"""The log of what was sent and what was not, and sending it again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from litestar import Controller, get, post
from litestar.params import Body, QueryParameter
from litestar.status_codes import HTTP_200_OK
from msgspec import Struct, structs

from inventory import audit, deliveries
from inventory.api.context import Caller, Services, needs
from inventory.api.paging import ID_MAX, SMALL_ID_MAX, Cursor, Id, Limit, Page, id_in, page
from inventory.api.problems import problems
from inventory.models import Delivery
from inventory.outgoing import tries
from inventory.outgoing.tries import Try
from inventory.reports import sent
from inventory.security import Scope

READ = needs(Scope.STOCK_READ)
WRITE = needs(Scope.ALERTS_WRITE)


class DeliveryRow(Struct, frozen=True, kw_only=True):
    """One message to one endpoint: pending until delivered, parked after the last try.

    `last_status` and `last_failure` are what the last try brought: three digits and a word. What a
    receiver answers is not read and not kept.
    """

    id: int
    endpoint_id: int
    message_id: str
    event: str
    topic: str | None
    version: int
    state: str
    attempts: int
    due_at: datetime
    last_status: int | None
    last_failure: str | None
    body: dict[str, Any]
    created_at: datetime
    delivered_at: datetime | None


class DeliveryTold(DeliveryRow, frozen=True, kw_only=True):
    """One message to one endpoint with every try, oldest first; of more than 20, the newest."""

    tries: list[Try]


DeliveryPage = Annotated[Page[DeliveryRow], Body(schema_component_key="DeliveryPage")]


class DeliveryController(Controller):
    """What was sent, and what was not."""

    path = "/deliveries"
    tags = ("Webhooks",)

    @get(guards=[READ], responses=problems())
    async def list_deliveries(
        self,
        services: Services,
        limit: Limit = 100,
        cursor: Cursor = None,
        in_state: Annotated[
            Literal["pending", "delivered", "parked"] | None,
            QueryParameter(
                name="state", required=False, description="Only messages in this state."
            ),
        ] = None,
        endpoint_id: Annotated[
            int | None,
            QueryParameter(
                name="endpoint", required=False, ge=1, le=SMALL_ID_MAX, description="Only to this."
            ),
        ] = None,
        event: Annotated[
            str | None,
            QueryParameter(required=False, max_length=100, description="Only of this event."),
        ] = None,
        since: Annotated[
            datetime | None,
            QueryParameter(required=False, description="Only what was said at or after this."),
        ] = None,
        until: Annotated[
            datetime | None,
            QueryParameter(required=False, description="Only what was said before this."),
        ] = None,
    ) -> DeliveryPage:
        """Messages, newest first, with the number of tries and what the last one brought."""
        wanted = sent.Filter(
            state=in_state, endpoint_id=endpoint_id, event=event, since=since, until=until
        )
        async with services.database.sessions() as session:
            rows = await sent.log(
                session, wanted, before_id=id_in(cursor, start=ID_MAX), limit=limit + 1
            )
            return page([delivery_row(row) for row in rows], limit, lambda row: row.id)

    @get("/{delivery_id:int}", guards=[READ], responses=problems(404))
    async def get_delivery(self, delivery_id: Id, services: Services) -> DeliveryTold:
        """One message with every try: when, how long it took, and what came of it."""
        async with services.database.sessions() as session:
            return delivery_told(await sent.one(session, delivery_id))

    @post(
        "/{delivery_id:int}/replay",
        guards=[WRITE],
        status_code=HTTP_200_OK,
        responses=problems(404, 409),
    )
    async def replay_delivery(
        self, delivery_id: Id, services: Services, caller: Caller
    ) -> DeliveryRow:
        """Send a message again, under the id it had."""
        now = services.clock.now()
        async with services.database.transaction() as session:
            await deliveries.replay(session, delivery_id, now)
            detail = {"delivery": delivery_id}
            audit.note(session, by=caller.name, action="delivery.replayed", detail=detail, now=now)
            await session.flush()
            row = delivery_row(await session.get_one(Delivery, delivery_id))
        services.bell.ring("notify")
        return row


def delivery_row(delivery: Delivery) -> DeliveryRow:
    """A row of the log as the API shows it."""
    return DeliveryRow(**{name: getattr(delivery, name) for name in DeliveryRow.__struct_fields__})


def delivery_told(delivery: Delivery) -> DeliveryTold:
    """The same with every try."""
    row = structs.asdict(delivery_row(delivery))
    return DeliveryTold(**row, tries=tries.read(delivery.tries))
