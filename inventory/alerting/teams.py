"""Teams: who is told of alerts together, when a digest takes the place of many, who is next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct, structs
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from inventory import audit
from inventory.alerting.uses import NAMED_MAX, refuse_if_used, unknown
from inventory.errors import BadInput
from inventory.fields import Code, Text
from inventory.models import Team

TEAMS_MAX = 100
TEAMS_LOCK = 0x68_6B_5F_74_65_61_6D_73
WEEK_MINUTES = 7 * 24 * 60

Minutes = Annotated[int, Meta(ge=1, le=WEEK_MINUTES, description="Minutes, 1 to 10,080.")]


class TeamTerms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a team hears of alerts.

    What nobody has acknowledged `escalate_minutes` after it was told goes to the team
    `escalates_to`, once. More than `digest_over` messages within `digest_minutes` become a digest.
    """

    name: Text = ""
    escalates_to: Code | None = None
    escalate_minutes: Minutes = 60
    digest_over: Annotated[int, Meta(ge=0, le=1000, description="Messages, 0 to 1,000.")] = 5
    digest_minutes: Minutes = 15


class TeamRow(TeamTerms, frozen=True, kw_only=True):
    """A team and how it hears of alerts."""

    code: str


# What would tell nobody any more without the team `id`, of the code `code`.
_USED_BY = text("""
SELECT used FROM (
  SELECT 1 AS place, 0 AS id, 'team ' || code AS used FROM team
  WHERE escalates_to_id = :id AND removed_at IS NULL
  UNION ALL
  SELECT 2, id, 'endpoint ' || id FROM webhook_endpoint WHERE team = :code AND removed_at IS NULL
  UNION ALL
  SELECT 3, id, 'rule ' || id FROM alert_rule WHERE team_id = :id AND active
  UNION ALL
  SELECT 4, id, 'open alert ' || id FROM alert
  WHERE state = 'open' AND :id IN (team_id, escalated_to_id)
) found ORDER BY place, id, used LIMIT :most
""")


async def team_by_code(session: AsyncSession, code: str) -> Team:
    """The team, kept from being removed until the transaction ends.

    Raises `NotFound`, which says which teams there are.
    """
    found = select(Team).where(Team.code == code, Team.removed_at.is_(None))
    team = await session.scalar(found.with_for_update(read=True, key_share=True))
    if team is None:
        raise unknown("team", code, [row.code for row in await teams(session)])
    return team


async def remove_team(session: AsyncSession, code: str, *, by: str, now: datetime) -> None:
    """Remove a team that nothing names. Alerts that ended keep its code.

    Raises `NotFound`, and `WrongState` that says what names it: a team that escalates to it, an
    endpoint, a rule, an open alert.
    """
    found = select(Team).where(Team.code == code, Team.removed_at.is_(None))
    team = await session.scalar(found.with_for_update())
    if team is None:
        raise unknown("team", code, [row.code for row in await teams(session)])
    values = {"id": team.id, "code": code, "most": NAMED_MAX + 1}
    await refuse_if_used(session, _USED_BY, values, subject=f"team {code!r}")
    team.removed_at = now
    audit.note(session, by=by, action="team.removed", detail={"team": code}, now=now)
    await session.flush()


async def put_team(
    session: AsyncSession, code: str, terms: TeamTerms, *, by: str, now: datetime
) -> TeamRow:
    """Add a team or change it wholly.

    Raises `NotFound` for an unknown next team, `BadInput` for itself or more than 100 teams. One
    that was removed is there again, under the same code.
    """
    if terms.escalates_to == code:
        raise BadInput("a team cannot escalate to itself")
    values = structs.asdict(terms)
    # Two who put a team at once go one after the other: the second changes what the first added.
    await session.execute(select(func.pg_advisory_xact_lock(TEAMS_LOCK)))
    following = values.pop("escalates_to")
    values["escalates_to_id"] = following and (await team_by_code(session, following)).id
    found = select(Team).where(Team.code == code)
    team = await session.scalar(found.with_for_update(key_share=True))
    if team is None or team.removed_at is not None:
        held = select(func.count(Team.id)).where(Team.removed_at.is_(None))
        if (await session.scalar(held) or 0) >= TEAMS_MAX:
            raise BadInput(f"there are {TEAMS_MAX} teams already, the most there may be")
    if team is None:
        session.add(Team(code=code, created_at=now, **values))
    else:
        for name, value in {**values, "removed_at": None}.items():
            setattr(team, name, value)
    await session.flush()
    detail = {"team": code} | structs.asdict(terms)
    audit.note(session, by=by, action="team.put", detail=detail, now=now)
    return TeamRow(code=code, **structs.asdict(terms))


async def teams(session: AsyncSession) -> Sequence[TeamRow]:
    """Every team, by code; there are a hundred at most."""
    following = aliased(Team)
    rows = await session.execute(
        select(Team, following.code)
        .outerjoin(following, following.id == Team.escalates_to_id)
        .where(Team.removed_at.is_(None))
        .order_by(Team.code)
    )
    return [
        TeamRow(
            code=team.code,
            name=team.name,
            escalates_to=code,
            escalate_minutes=team.escalate_minutes,
            digest_over=team.digest_over,
            digest_minutes=team.digest_minutes,
        )
        for team, code in rows
    ]
