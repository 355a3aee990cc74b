"""Alerts: rules that watch levels, and what fired."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from litestar import Controller, delete, get, post
from litestar.params import Body, JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED, HTTP_204_NO_CONTENT
from msgspec import Struct
from sqlalchemy import select

from inventory import alerts, audit
from inventory.api.context import Caller, Services, needs
from inventory.api.paging import ID_MAX, SMALL_ID_MAX, Cursor, Id, Limit, Page, SmallId, id_in, page
from inventory.api.problems import problems
from inventory.errors import NotFound, WrongState
from inventory.fields import Code, Count
from inventory.models import Alert, AlertRule, Sku
from inventory.security import Scope

READ = needs(Scope.STOCK_READ)
WRITE = needs(Scope.ALERTS_WRITE)


class NewAlertRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tell when a SKU's available units fall to `level` or below; without `sku`, any SKU's."""

    level: Count
    sku: Code | None = None


class AlertRuleRow(Struct, frozen=True, kw_only=True):
    """A rule that watches."""

    id: int
    sku: str | None
    level: int
    created_at: datetime


class AlertRow(Struct, frozen=True, kw_only=True):
    """Something that a person should know. `subject` is like sku:MUG or channel:3."""

    id: int
    kind: str
    subject: str
    rule_id: int | None
    state: str
    detail: dict[str, Any]
    fired_at: datetime
    closed_at: datetime | None


AlertRulePage = Annotated[Page[AlertRuleRow], Body(schema_component_key="AlertRulePage")]
AlertPage = Annotated[Page[AlertRow], Body(schema_component_key="AlertPage")]


class AlertRuleController(Controller):
    """What is watched."""

    path = "/alert-rules"
    tags = ("Alerts",)

    @get(guards=[READ], responses=problems())
    async def list_alert_rules(
        self, services: Services, limit: Limit = 100, cursor: Cursor = None
    ) -> AlertRulePage:
        """Rules in order of creation; a SKU with rules of its own is not judged by general ones."""
        query = (
            select(AlertRule, Sku.code)
            .outerjoin(Sku, Sku.id == AlertRule.sku_id)
            .where(AlertRule.active, AlertRule.id > id_in(cursor, most=SMALL_ID_MAX))
        )
        async with services.database.sessions() as session:
            rows = await session.execute(query.order_by(AlertRule.id).limit(limit + 1))
            return page([_rule(rule, sku) for rule, sku in rows], limit, lambda row: row.id)

    @post(guards=[WRITE], status_code=HTTP_201_CREATED, responses=problems(404))
    async def create_alert_rule(
        self, data: JSONBody[NewAlertRule], services: Services, caller: Caller
    ) -> AlertRuleRow:
        """Watch a level. What is at or below it already fires at once."""
        now = services.clock.now()
        async with services.database.transaction() as session:
            rule = await alerts.add_rule(session, sku=data.sku, level=data.level, now=now)
            detail = {"rule": rule.id, "sku": data.sku, "level": data.level}
            audit.note(session, by=caller.name, action="alert_rule.created", detail=detail, now=now)
            row = _rule(rule, data.sku)
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
            await alerts.remove_rule(session, rule_id, now)
            audit.note(
                session,
                by=caller.name,
                action="alert_rule.deleted",
                detail={"rule": rule_id},
                now=now,
            )
        services.bell.ring("notify")


def _rule(rule: AlertRule, sku: str | None) -> AlertRuleRow:
    return AlertRuleRow(id=rule.id, sku=sku, level=rule.level, created_at=rule.created_at)


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
    ) -> AlertPage:
        """Alerts, newest first; each fired once and closes itself when its cause is gone."""
        query = select(Alert).where(Alert.id < id_in(cursor, start=ID_MAX))
        if in_state is not None:
            query = query.where(Alert.state == in_state)
        async with services.database.sessions() as session:
            rows = await session.scalars(query.order_by(Alert.id.desc()).limit(limit + 1))
            return page([_alert(alert) for alert in rows], limit, lambda row: row.id)

    @post(
        "/{alert_id:int}/close",
        guards=[WRITE],
        status_code=HTTP_200_OK,
        responses=problems(404, 409),
    )
    async def close_alert(self, alert_id: Id, services: Services) -> AlertRow:
        """Close an alert by hand, but for low stock, which closes itself.

        It fires again when its cause begins anew.
        """
        async with services.database.transaction() as session:
            found = await session.get(Alert, alert_id)
            if found is None:
                raise NotFound(f"no alert {alert_id}")
            if found.rule_id is not None:
                raise WrongState("a low-stock alert closes itself when stock is back")
            now = services.clock.now()
            await alerts.close(session, kind=found.kind, subject=found.subject, now=now)
            await session.refresh(found)
            row = _alert(found)
        services.bell.ring("notify")
        return row


def _alert(alert: Alert) -> AlertRow:
    return AlertRow(
        id=alert.id,
        kind=alert.kind,
        subject=alert.subject,
        rule_id=alert.rule_id,
        state=alert.state,
        detail=alert.detail,
        fired_at=alert.fired_at,
        closed_at=alert.closed_at,
    )
