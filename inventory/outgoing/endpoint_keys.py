"""The keys that sign for an endpoint: read, changed with two live at a time, and forgotten."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.errors import BadInput, WrongState
from inventory.models import WebhookEndpoint
from inventory.outgoing.addresses import parse_target
from inventory.outgoing.endpoints import Reach, find
from inventory.outgoing.signing import Keys, new_keys
from inventory.security import SecretUnreadable, Vault

# How long the keys before a rotation still sign; two live signatures need no more than a week.
OVERLAP_HOURS, OVERLAP_HOURS_MAX = 24, 168
ADOPTED_AT_ONCE = 20


def keys_of(vault: Vault, sealed: bytes) -> Keys:
    """What signs for an endpoint. Raises `SecretUnreadable`."""
    return msgspec.convert(vault.open(sealed), type=Keys)


def secret_of(vault: Vault, sealed: bytes) -> str:
    """The secret of an endpoint. Raises `SecretUnreadable`."""
    return keys_of(vault, sealed).secret


async def rotate(
    session: AsyncSession, vault: Vault, endpoint_id: int, *, hours: int, now: datetime
) -> tuple[WebhookEndpoint, str]:
    """New keys for a webhook; those before sign beside them for `hours` (0 to 168), then no more.

    Keys that an earlier rotation left are forgotten now: there are never more than two. Returned
    with the new secret. Raises `NotFound`, `BadInput`, and `WrongState` for one that is not signed.
    """
    if not 0 <= hours <= OVERLAP_HOURS_MAX:
        raise BadInput(f"the old keys may stay for 0 to {OVERLAP_HOURS_MAX} hours")
    endpoint = await find(session, endpoint_id)
    if endpoint.kind != "webhook":
        raise WrongState("only messages of kind webhook are signed")
    keys = new_keys()
    kept = hours > 0
    endpoint.secret_previous = endpoint.secret if kept else None
    endpoint.public_key_previous = endpoint.public_key if kept else None
    endpoint.previous_until = now + timedelta(hours=hours) if kept else None
    endpoint.secret = vault.seal(msgspec.to_builtins(keys))
    endpoint.public_key = keys.public_key
    return endpoint, keys.secret


async def adopt(session: AsyncSession, vault: Vault) -> int:
    """Seal the addresses of endpoints made before addresses were sealed; how many, 20 at most.

    They get a key for `v1a` as well, where their secret can be opened.
    """
    found = await session.scalars(
        select(WebhookEndpoint)
        .where(WebhookEndpoint.address.is_(None))
        .order_by(WebhookEndpoint.id)
        .limit(ADOPTED_AT_ONCE)
        .with_for_update(key_share=True, skip_locked=True)
    )
    adopted = 0
    for endpoint in found.all():
        endpoint.address = vault.seal(msgspec.to_builtins(Reach(url=endpoint.url)))
        endpoint.url = parse_target(endpoint.url).shown
        adopted += 1
        try:
            keys = keys_of(vault, endpoint.secret)
        except SecretUnreadable:
            continue
        keys = Keys(secret=keys.secret, key=new_keys().key)
        endpoint.secret, endpoint.public_key = (
            vault.seal(msgspec.to_builtins(keys)),
            keys.public_key,
        )
    return adopted


async def forget_previous(session: AsyncSession, now: datetime) -> None:
    """Delete keys whose time beside the new ones is over."""
    await session.execute(
        update(WebhookEndpoint)
        .where(WebhookEndpoint.previous_until <= now)
        .values(secret_previous=None, public_key_previous=None, previous_until=None)
        .execution_options(synchronize_session=False)
    )
