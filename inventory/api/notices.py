"""The door for what marketplaces tell by themselves: proven by them, stored before the answer."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Controller, Request, post
from litestar.status_codes import HTTP_200_OK
from msgspec import Struct

from inventory import notices
from inventory.api.context import Services
from inventory.api.paging import PathText
from inventory.api.problems import problems
from inventory.errors import BadInput

BODY_BYTES_MAX = 1_000_000
# Shopify and EC-CUBE give up after 5 seconds; whoever is slower only holds a place.
BODY_SECONDS_MAX = 5.0


class NoticeAnswer(Struct, frozen=True, kw_only=True):
    """`stored`: it is about an order, and is in the house for good. `repeated`: it was before."""

    stored: bool
    repeated: bool


class NoticeController(Controller):
    """Takes marketplaces' webhooks. No key is asked for: each bears its channel's own proof."""

    path = "/v1/notices"
    tags = ("Events",)

    @post(
        "/{channel:str}",
        security=[],
        status_code=HTTP_200_OK,
        request_max_body_size=BODY_BYTES_MAX,
        responses=problems(404, 413, 429, 503),
    )
    async def take_notice(
        self, channel: PathText, services: Services, request: Request[Any, Any, Any]
    ) -> NoticeAnswer:
        """A marketplace tells of an order; answered once it is stored, read or booked after that.

        At most 1,000,000 bytes, 500 a second and 64 at once; 401 without the right proof.
        """
        with services.gate.passed():
            shop = await services.connected.get(channel)
            try:
                async with asyncio.timeout(BODY_SECONDS_MAX):
                    body = await request.body()
            except TimeoutError:
                raise BadInput(f"the body took longer than {BODY_SECONDS_MAX:.0f} s") from None
            told = await services.notices.read(shop, request.headers, body)
            async with services.database.transaction() as session:
                kept = await notices.keep(session, shop.id, told, services.clock.now())
        if kept is None:
            return NoticeAnswer(stored=False, repeated=False)
        if kept.state == "new":
            services.bell.ring("notices" if told.order is None else "process")
        return NoticeAnswer(stored=True, repeated=kept.repeated)
