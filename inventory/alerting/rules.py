"""Rules of alerts: what is watched, for which SKUs, at which level, and which team is told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from msgspec import Struct
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import audit
from inventory.alerting.sql import CLOSE_RULE, LOCK
from inventory.alerting.suppliers import Category, supplier_by_code
from inventory.alerting.teams import team_by_code
from inventory.alerting.tell import tell_closed
from inventory.alerts import judge
from inventory.catalogue import sku_by_code
from inventory.errors import AlreadyExists, BadInput, NotFound
from inventory.facts import QUANTITY_MAX
from inventory.fields import Code, Count
from inventory.models import AlertRule, Sku, Supplier, Team

RuleKind = Literal[
    "low_stock",
    "low_cover",
    "stock_out",
    "oversell",
    "key_expiring",
    "channel_silent",
    "drift",
    "sync_health",
]
DAYS_MAX = 365
DAYS_AHEAD = 30
# The most that a level may be; the others have none, and only say who is told.
LEVELS: Mapping[str, int] = {
    "low_stock": QUANTITY_MAX,
    "low_cover": DAYS_MAX,
    "stock_out": DAYS_MAX,
}
# What a rule says; and any number, the same in every process.
_SAYS = ("kind", "sku_id", "category", "supplier_id", "level", "clear_margin", "team_id")
RULES_LOCK = 0x4852_554C
ABOUT_A_CHANNEL = ("key_expiring", "channel_silent", "sync_health")


class NewRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Watch one `sku`, a `category`, a `supplier`, or with none of them everything.

    `level`: of `low_stock`, available units at or below it; of `low_cover`, fewer days of cover
    than it; of `stock_out`, how many days ahead to look (30), for a stock-out before the next
    units come. An alert ends when the level is exceeded by more than `clear_margin`: units or days,
    a fifth of the level and at least 1 unless given, of `stock_out` 1. The other kinds have neither
    and say which `team` is told of what fires anyway.
    """

    kind: RuleKind = "low_stock"
    level: Count | None = None
    clear_margin: Count | None = None
    sku: Code | None = None
    category: Category | None = None
    supplier: Code | None = None
    team: Code | None = None


class RuleRow(Struct, frozen=True, kw_only=True):
    """A rule that watches; `level` and `clear_margin` are null of kinds that have none."""

    id: int
    kind: str
    sku: str | None
    category: str | None
    supplier: str | None
    level: int | None
    clear_margin: int | None
    team: str | None
    created_at: datetime


async def add_rule(session: AsyncSession, new: NewRule, *, by: str, now: datetime) -> int:
    """Watch. What is low already fires at once. Of each kind the nearest rules judge a SKU.

    Raises `UnknownSku`, `NotFound` for an unknown team or supplier, `AlreadyExists` for a rule that
    is there already, and `BadInput` for a level that is missing, superfluous or too large, or more
    than one of SKU, category and supplier.
    """
    level, margin = _level(new)
    if sum(each is not None for each in (new.sku, new.category, new.supplier)) > 1:
        raise BadInput("a rule is for one of sku, category and supplier, or for everything")
    if new.kind in ABOUT_A_CHANNEL and (new.sku or new.category or new.supplier):
        raise BadInput(f"{new.kind} is not about SKUs: leave out sku, category and supplier")
    sku = None if new.sku is None else await sku_by_code(session, new.sku)
    supplier = None if new.supplier is None else await supplier_by_code(session, new.supplier)
    team = None if new.team is None else await team_by_code(session, new.team)
    rule = AlertRule(
        kind=new.kind,
        sku_id=sku and sku.id,
        category=new.category,
        supplier_id=supplier and supplier.id,
        level=level,
        clear_margin=margin,
        team_id=team and team.id,
        created_at=now,
    )
    await _refuse_twice(session, rule)
    session.add(rule)
    await session.flush()
    detail = {"rule": rule.id, "kind": new.kind, "sku": new.sku, "level": new.level}
    detail |= {"category": new.category, "supplier": new.supplier, "team": new.team}
    audit.note(session, by=by, action="alert_rule.created", detail=detail, now=now)
    await _judge(session, rule, now)
    return rule.id


async def _refuse_twice(session: AsyncSession, rule: AlertRule) -> None:
    """Two rules that say the same would tell everything twice. Raises `AlreadyExists`."""
    await session.execute(select(func.pg_advisory_xact_lock(RULES_LOCK)))
    same = [getattr(AlertRule, name).is_not_distinct_from(getattr(rule, name)) for name in _SAYS]
    there = await session.scalar(select(AlertRule.id).where(AlertRule.active, *same).limit(1))
    if there is not None:
        raise AlreadyExists(f"rule {there} says the same already")


def _level(new: NewRule) -> tuple[int, int]:
    most = LEVELS.get(new.kind)
    if most is None:
        if new.level is not None or new.clear_margin is not None:
            raise BadInput(f"{new.kind} has no level: it says which team is told")
        if new.team is None:
            raise BadInput(f"{new.kind} says which team is told: give the team")
        return 0, 0
    ahead = new.kind == "stock_out"
    level = DAYS_AHEAD if ahead and new.level is None else new.level
    if level is None:
        raise BadInput(f"{new.kind} needs a level")
    margin = new.clear_margin
    if margin is None:
        margin = 1 if ahead else max(-(-level // 5), 1)
    least = 0 if new.kind == "low_stock" else 1
    if not least <= level <= most or margin > most:
        raise BadInput(f"of {new.kind} the level must be from {least} to {most}, as its margin")
    return level, margin


async def remove_rule(session: AsyncSession, rule_id: int, *, by: str, now: datetime) -> None:
    """Switch a rule off, close its alerts, and let the other rules judge its SKUs again.

    Raises `NotFound`.
    """
    found = await session.get(AlertRule, rule_id)
    if found is not None and found.kind in LEVELS:
        # SKUs before rules and alerts, as whoever judges takes them.
        ids = [] if found.sku_id is None else [found.sku_id]
        await session.execute(LOCK, {"all": found.sku_id is None, "ids": ids})
    rule = await session.get(AlertRule, rule_id, with_for_update=True, populate_existing=True)
    if rule is None or not rule.active:
        raise NotFound(f"no alert rule {rule_id}")
    rule.active = False
    await session.flush()
    closed = (await session.execute(CLOSE_RULE, {"rule_id": rule_id, "now": now})).mappings().all()
    await tell_closed(session, closed, now)
    audit.note(session, by=by, action="alert_rule.deleted", detail={"rule": rule_id}, now=now)
    await _judge(session, rule, now)


async def _judge(session: AsyncSession, rule: AlertRule, now: datetime) -> None:
    """The SKUs that a rule may be about; a change of terms may have moved others out of it."""
    if rule.kind in LEVELS:
        await judge(session, None if rule.sku_id is None else [rule.sku_id], now)


async def rules(
    session: AsyncSession, *, after_id: int = 0, limit: int, rule_id: int | None = None
) -> list[RuleRow]:
    """Rules that watch, in order of creation."""
    query = (
        select(AlertRule, Sku.code, Supplier.code, Team.code)
        .outerjoin(Sku, Sku.id == AlertRule.sku_id)
        .outerjoin(Supplier, Supplier.id == AlertRule.supplier_id)
        .outerjoin(Team, Team.id == AlertRule.team_id)
        .where(AlertRule.active, AlertRule.id > after_id)
        .order_by(AlertRule.id)
        .limit(limit)
    )
    if rule_id is not None:
        query = query.where(AlertRule.id == rule_id)
    return [
        _row(rule, sku, supplier, team)
        for rule, sku, supplier, team in await session.execute(query)
    ]


def _row(rule: AlertRule, sku: str | None, supplier: str | None, team: str | None) -> RuleRow:
    levelled = rule.kind in LEVELS
    return RuleRow(
        id=rule.id,
        kind=rule.kind,
        sku=sku,
        category=rule.category,
        supplier=supplier,
        level=rule.level if levelled else None,
        clear_margin=rule.clear_margin if levelled else None,
        team=team,
        created_at=rule.created_at,
    )
