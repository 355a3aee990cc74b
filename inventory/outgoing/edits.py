"""Changes of an endpoint that leave its address and its keys alone: name, team, events."""

from __future__ import annotations

from datetime import datetime

from msgspec import UNSET, Struct, UnsetType
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import audit
from inventory.alerting.teams import team_by_code
from inventory.catalogue import given
from inventory.fields import Text
from inventory.models import WebhookEndpoint
from inventory.outgoing.endpoints import Events, Team, check_events, find


class EndpointChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shall be different about an endpoint; what is left out stays.

    `team` null takes the messages of every team, `events` empty takes all.
    """

    name: Text | UnsetType = UNSET
    team: Team | UnsetType | None = UNSET
    events: Events | UnsetType = UNSET


async def change(
    session: AsyncSession, endpoint_id: int, wanted: EndpointChange, *, by: str, now: datetime
) -> WebhookEndpoint:
    """Change an endpoint; what is queued for it already still goes there.

    Raises `NotFound` for an endpoint or a team that is not there, `BadInput` for an event that is
    no event's name, or not one for this kind.
    """
    endpoint = await find(session, endpoint_id)
    values = given(wanted)
    if wanted.events is not UNSET:
        check_events(endpoint.kind, wanted.events)
        values["events"] = sorted(set(wanted.events))
    if isinstance(wanted.team, str):
        await team_by_code(session, wanted.team)
    before = {name: getattr(endpoint, name) for name in values}
    changed = {name: value for name, value in values.items() if value != before[name]}
    for name, value in changed.items():
        setattr(endpoint, name, value)
    if changed:
        detail = {"endpoint": endpoint_id, "before": {name: before[name] for name in changed}}
        audit.note(session, by=by, action="endpoint.changed", detail=detail | changed, now=now)
    await session.flush()
    return endpoint
