"""Reads about what leaves the house: the log of deliveries, and where they go."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.errors import NotFound
from inventory.fields import moment
from inventory.models import Delivery, WebhookEndpoint


class Filter(Struct, frozen=True, kw_only=True):
    """Which deliveries are asked for; None asks for all. `since` is included, `until` is not."""

    state: str | None = None
    endpoint_id: int | None = None
    event: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def log(
    session: AsyncSession, wanted: Filter, *, before_id: int, limit: int
) -> Sequence[Delivery]:
    """Up to `limit` deliveries with ids below `before_id`, newest first.

    Raises `BadInput` for a time without time zone or outside the years 2000 to 2100.
    """
    query = select(Delivery).where(Delivery.id < before_id)
    if wanted.state is not None:
        query = query.where(Delivery.state == wanted.state)
    if wanted.endpoint_id is not None:
        query = query.where(Delivery.endpoint_id == wanted.endpoint_id)
    if wanted.event is not None:
        query = query.where(Delivery.event == wanted.event)
    if wanted.since is not None:
        query = query.where(Delivery.created_at >= moment(wanted.since))
    if wanted.until is not None:
        query = query.where(Delivery.created_at < moment(wanted.until))
    return (await session.scalars(query.order_by(Delivery.id.desc()).limit(limit))).all()


async def one(session: AsyncSession, delivery_id: int) -> Delivery:
    """One delivery with all its tries. Raises `NotFound`."""
    found = await session.get(Delivery, delivery_id)
    if found is None:
        raise NotFound(f"no delivery {delivery_id}")
    return found


async def endpoints(
    session: AsyncSession, *, after_id: int, limit: int
) -> Sequence[WebhookEndpoint]:
    """Up to `limit` endpoints with ids above `after_id`, disabled ones too, removed ones not."""
    query = select(WebhookEndpoint).where(
        WebhookEndpoint.removed_at.is_(None), WebhookEndpoint.id > after_id
    )
    return (await session.scalars(query.order_by(WebhookEndpoint.id).limit(limit))).all()
