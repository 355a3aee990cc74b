"""Teams: who is told of alerts together, when a digest takes the place of many, who is next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct, structs
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from inventory import audit
from inventory.errors import BadInput, NotFound
from inventory.fields import Code, Text
from inventory.models import Team

TEAMS_MAX = 100
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


async def team_by_code(session: AsyncSession, code: str) -> Team:
    """The team. Raises `NotFound`."""
    team = await session.scalar(select(Team).where(Team.code == code))
    if team is None:
        raise NotFound(f"no team {code!r}")
    return team


async def put_team(
    session: AsyncSession, code: str, terms: TeamTerms, *, by: str, now: datetime
) -> TeamRow:
    """Add a team or change it wholly.

    Raises `NotFound` for an unknown next team, `BadInput` for itself or more than 100 teams.
    """
    if terms.escalates_to == code:
        raise BadInput("a team cannot escalate to itself")
    values = structs.asdict(terms)
    following = values.pop("escalates_to")
    values["escalates_to_id"] = following and (await team_by_code(session, following)).id
    team = await session.scalar(select(Team).where(Team.code == code).with_for_update())
    if team is None:
        if len(list(await session.scalars(select(Team.id)))) >= TEAMS_MAX:
            raise BadInput(f"there are {TEAMS_MAX} teams already, the most there may be")
        session.add(Team(code=code, created_at=now, **values))
    else:
        for name, value in values.items():
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
