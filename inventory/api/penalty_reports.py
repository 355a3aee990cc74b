"""The penalty record over a period, as JSON, table and chart; and what one more would do."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from litestar import Controller, Response, get
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter

from inventory.api.context import Services, needs
from inventory.api.events import ChannelFilter
from inventory.api.paging import PATH_CHARACTERS_MAX
from inventory.api.problems import problems
from inventory.penalty_record import chart, dry_run, tables
from inventory.penalty_record import report as penalty_report
from inventory.penalty_record.chart import MEDIA_TYPES, Format
from inventory.penalty_record.dry_run import DryRun
from inventory.penalty_record.report import PenaltyReport, Period
from inventory.penalty_record.tables import MEDIA_TYPE, Table
from inventory.security import Scope

READ = needs(Scope.STOCK_READ)

InPeriod = Annotated[
    Period,
    QueryParameter(name="period", required=False, description="7 or 30 days, Asia/Tokyo."),
]
LastDay = Annotated[
    date | None,
    QueryParameter(
        name="last_day", required=False, description="Of the period, Asia/Tokyo; today if none."
    ),
]


class PenaltyReportController(Controller):
    """What orders that ended unshipped did to the marketplaces' metrics, over time."""

    path = "/penalties"
    tags = ("Desk",)

    @get("/report", guards=[READ], responses=problems(404))
    async def get_penalty_report(
        self,
        services: Services,
        period: InPeriod = Period.WEEK,
        last_day: LastDay = None,
        channel_code: ChannelFilter = None,
    ) -> PenaltyReport:
        """The metric at the end of every Tokyo day, counted anew; headroom, causes and cost.

        At most 100 channels and 200 rows of causes; how many were left out is said.
        """
        return await self._report(services, period, last_day, channel_code)

    @get(
        "/report/table",
        guards=[READ],
        responses={200: ResponseSpec(bytes, description="The table as CSV"), **problems(404)},
    )
    async def get_penalty_table(
        self,
        services: Services,
        period: InPeriod = Period.WEEK,
        last_day: LastDay = None,
        channel_code: ChannelFilter = None,
        table: Annotated[
            Table, QueryParameter(name="table", required=False, description="Which one.")
        ] = Table.RATES,
    ) -> Response[bytes]:
        """One table of the report as CSV: the metric by day, ends by SKU and cause, or every entry.

        Times are UTC. Entries are at most 10,000.
        """
        report = await self._report(services, period, last_day, channel_code)
        async with services.database.sessions() as session:
            rows = await tables.rows_of(session, report, table)
        text = tables.as_csv(tables.heading_of(table), rows)
        return _file(text, MEDIA_TYPE, f"penalties-{table.value}.csv")

    @get(
        "/report/chart",
        guards=[READ],
        responses={200: ResponseSpec(bytes, description="The file"), **problems(404)},
    )
    async def get_penalty_chart(
        self,
        services: Services,
        period: InPeriod = Period.WEEK,
        last_day: LastDay = None,
        channel_code: ChannelFilter = None,
        format_: Annotated[
            Format, QueryParameter(name="format", required=False, description="Of the file.")
        ] = Format.HTML,
    ) -> Response[bytes]:
        """The report as a picture (SVG), or as a page with the tables behind it; no script."""
        report = await self._report(services, period, last_day, channel_code)
        text = chart.drawn(report, format_)
        return _file(text, MEDIA_TYPES[format_], f"penalties.{format_.value}")

    @get("/dry-run", guards=[READ], responses=problems(404))
    async def dry_run_cancellation(
        self,
        services: Services,
        channel_code: Annotated[
            str, QueryParameter(max_length=PATH_CHARACTERS_MAX, description="The channel's code.")
        ],
        order_ref: Annotated[
            str, QueryParameter(max_length=PATH_CHARACTERS_MAX, description="Its order.")
        ],
    ) -> DryRun:
        """What giving this order up for want of stock would do. Nothing is changed or sent."""
        async with services.database.sessions() as session:
            return await dry_run.dry_run(session, channel_code, order_ref, services.clock.now())

    @staticmethod
    async def _report(
        services: Services, period: Period, last_day: date | None, channel: str | None
    ) -> PenaltyReport:
        async with services.database.sessions() as session:
            return await penalty_report.report(
                session,
                period=period,
                now=services.clock.now(),
                last_day=last_day,
                channel=channel,
            )


def _file(text: str, media_type: str, name: str) -> Response[bytes]:
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(text.encode(), media_type=media_type, headers=headers)
