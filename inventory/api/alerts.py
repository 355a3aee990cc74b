"""Alerts: rules that watch levels, what fired, and what people do about it."""

from __future__ import annotations

from typing import Annotated, Literal

from litestar import Controller, delete, get, post
from litestar.params import Body, JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED, HTTP_204_NO_CONTENT
from msgspec import Struct

from inventory.alerting import people, rules
from inventory.alerting.people import AlertRow, Which
from inventory.alerting.rules import NewRule, RuleRow
from inventory.api.context import Caller, Services, needs
from inventory.api.paging import ID_MAX, SMALL_ID_MAX, Cursor, Id, Limit, Page, SmallId, id_in, page
from inventory.api.problems import problems
from inventory.fields import Moment, moment
from inventory.security import Scope

READ = needs(Scope.STOCK_READ)
WRITE = needs(Scope.ALERTS_WRITE)


class Snooze(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Say nothing until then: 90 days from now at most."""

    until: Moment


AlertRulePage = Annotated[Page[RuleRow], Body(schema_component_key="AlertRulePage")]
AlertPage = Annotated[Page[AlertRow], Body(schema_component_key="AlertPage")]


class AlertRuleController(Controller):
    """What is watched."""

    path = "/alert-rules"
    tags = ("Alerts",)

    @get(guards=[READ], responses=problems())
    async def list_alert_rules(
        self, services: Services, limit: Limit = 100, cursor: Cursor = None
    ) -> AlertRulePage:
        """Rules in order of creation. Of each kind, a SKU is judged by the nearest that there are.

        The nearest are those of the SKU itself, then of its category, of its supplier, of all.
        """
        after_id = id_in(cursor, most=SMALL_ID_MAX)
        async with services.database.sessions() as session:
            rows = await rules.rules(session, after_id=after_id, limit=limit + 1)
        return page(rows, limit, lambda row: row.id)

    @post(guards=[WRITE], status_code=HTTP_201_CREATED, responses=problems(404, 409))
    async def create_alert_rule(
        self, data: JSONBody[NewRule], services: Services, caller: Caller
    ) -> RuleRow:
        """Watch a level, or say which team is told. What has crossed it already fires at once.

        409 where a rule says the same already: it would tell everything twice.
        """
        now = services.clock.now()
        async with services.database.transaction() as session:
            rule_id = await rules.add_rule(session, data, by=caller.name, now=now)
            [row] = await rules.rules(session, limit=1, rule_id=rule_id)
        services.bell.ring("notify")
        return row

    @delete(
        "/{rule_id:int}",
        guards=[WRITE],
        status_code=HTTP_204_NO_CONTENT,
        responses=problems(404),
    )
    async def delete_alert_rule(self, rule_id: SmallId, services: Services, caller: Caller) -> None:
        """Stop watching; alerts that the rule has open are closed."""
        now = services.clock.now()
        async with services.database.transaction() as session:
            await rules.remove_rule(session, rule_id, by=caller.name, now=now)
        services.bell.ring("notify")


class AlertController(Controller):
    """What fired."""

    path = "/alerts"
    tags = ("Alerts",)

    @get(guards=[READ], responses=problems())
    async def list_alerts(
        self,
        services: Services,
        limit: Limit = 100,
        cursor: Cursor = None,
        in_state: Annotated[
            Literal["open", "closed"] | None,
            QueryParameter(name="state", required=False, description="Only alerts in this state."),
        ] = None,
        team: Annotated[
            str | None,
            QueryParameter(required=False, description="Only alerts of this team, or come to it."),
        ] = None,
        digest: Annotated[
            int | None,
            QueryParameter(ge=1, le=ID_MAX, required=False, description="Only those of a digest."),
        ] = None,
    ) -> AlertPage:
        """Alerts, newest first; each fired once and closes itself when its cause is gone.

        An open one about a SKU carries what a buyer can act on now.
        """
        which = Which(state=in_state, team=team, digest_id=digest)
        before_id, now = id_in(cursor, start=ID_MAX), services.clock.now()
        async with services.database.sessions() as session:
            rows = await people.rows(session, which, before_id=before_id, limit=limit + 1, now=now)
        return page(rows, limit, lambda row: row.id)

    @get("/{alert_id:int}", guards=[READ], responses=problems(404))
    async def get_alert(self, alert_id: Id, services: Services) -> AlertRow:
        """One alert, with what a buyer can act on now."""
        async with services.database.sessions() as session:
            return await people.one(session, alert_id, services.clock.now())

    @post(
        "/{alert_id:int}/acknowledge",
        guards=[WRITE],
        status_code=HTTP_200_OK,
        responses=problems(404, 409),
    )
    async def acknowledge_alert(self, alert_id: Id, services: Services, caller: Caller) -> AlertRow:
        """Take care of it: it is not escalated. The first to say so stays on record."""
        now = services.clock.now()
        async with services.database.transaction() as session:
            await people.acknowledge(session, alert_id, by=caller.name, now=now)
            return await people.one(session, alert_id, now)

    @post(
        "/{alert_id:int}/snooze",
        guards=[WRITE],
        status_code=HTTP_200_OK,
        responses=problems(404, 409),
    )
    async def snooze_alert(
        self, alert_id: Id, data: JSONBody[Snooze], services: Services, caller: Caller
    ) -> AlertRow:
        """Say nothing of it for a while; what is still open then is told again."""
        now = services.clock.now()
        async with services.database.transaction() as session:
            await people.snooze(
                session, alert_id, until=moment(data.until), by=caller.name, now=now
            )
            return await people.one(session, alert_id, now)

    @post(
        "/{alert_id:int}/close",
        guards=[WRITE],
        status_code=HTTP_200_OK,
        responses=problems(404, 409),
    )
    async def close_alert(self, alert_id: Id, services: Services) -> AlertRow:
        """Close an alert by hand, but for those about stock, which close themselves.

        It fires again when its cause begins anew.
        """
        now = services.clock.now()
        async with services.database.transaction() as session:
            await people.close(session, alert_id, now=now)
            row = await people.one(session, alert_id, now)
        services.bell.ring("notify")
        return row
