"""The ledger on its way out: movements as a file, streamed."""

from __future__ import annotations

from typing import Annotated

from litestar import Controller, get
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter
from litestar.response import Stream

from inventory import catalogue, exports
from inventory.api.context import Services, needs
from inventory.api.problems import problems
from inventory.api.skus import Since, Until
from inventory.errors import BadInput
from inventory.exports import MEDIA_TYPES, Format, Selection
from inventory.fields import moment
from inventory.history import ALWAYS
from inventory.security import Scope

SKUS_MAX = 100


class HistoryController(Controller):
    """All that ever happened, for a spreadsheet or a notebook."""

    path = "/movements/export"
    tags = ("Stock",)

    @get(
        guards=[needs(Scope.STOCK_READ)],
        responses={200: ResponseSpec(bytes, description="The file"), **problems(404)},
    )
    async def export_movements(
        self,
        services: Services,
        format_: Annotated[
            Format, QueryParameter(name="format", required=False, description="Of the file.")
        ] = Format.CSV,
        sku: Annotated[
            list[str] | None,
            QueryParameter(
                name="sku", required=False, description="Only those of this SKU; may be repeated."
            ),
        ] = None,
        since: Since = None,
        until: Until = None,
    ) -> Stream:
        """Movements as CSV or Parquet, streamed: month by month, SKU by SKU, in their order.

        Months that were detached are not in it. In CSV, an apostrophe stands before text that a
        spreadsheet would take for a formula. An answer that ends without its last part is not
        whole: ask again.
        """
        now = services.clock.now()
        if sku and len(sku) > SKUS_MAX:
            raise BadInput(f"name at most {SKUS_MAX} SKUs, or none for all")
        async with services.database.sessions() as session:
            found = [await catalogue.sku_by_code(session, code) for code in sku or ()]
        selection = Selection(
            sku_ids=[each.id for each in found] if sku else None,
            since=moment(since) if since else ALWAYS[0],
            until=moment(until) if until else ALWAYS[1],
        )
        rows = exports.chunks(services.database, selection, now)
        name = f'attachment; filename="movements.{format_.value}"'
        return Stream(
            exports.encoded(rows, format_),
            media_type=MEDIA_TYPES[format_],
            headers={"content-disposition": name},
        )
