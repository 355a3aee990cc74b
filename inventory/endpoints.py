"""Webhook endpoints: an address, its sealed secret, and the events it wants."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.addresses import Network, check_url
from inventory.errors import BadInput
from inventory.models import WebhookEndpoint
from inventory.security import Vault

SECRET_BYTES = 32
ENDPOINTS_MAX = 100
EVENTS_MAX = 50
EVENT_CHARACTERS_MAX = 100
# As Standard Webhooks wants the type of a message: words joined by full stops.
EVENT = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")


def check_event(event: str) -> None:
    """Raise `BadInput` unless it reads like alert.fired, in at most 100 characters."""
    if len(event) > EVENT_CHARACTERS_MAX or not EVENT.fullmatch(event):
        raise BadInput("an event is named like alert.fired: small letters, digits, _ and dots")


async def add_endpoint(
    session: AsyncSession,
    vault: Vault,
    *,
    url: str,
    events: Sequence[str],
    networks: Sequence[Network],
) -> tuple[WebhookEndpoint, str]:
    """Add an endpoint; returned with its secret (whsec_…), which cannot be shown again.

    `events` empty means all. The URL is judged by its text (`addresses.check_url`) and its name is
    looked up only when something is sent. Raises `AddressRefused`, and `BadInput` for more than 50
    events, one that is no event's name, or more than 100 endpoints.
    """
    check_url(url, networks)
    if len(events) > EVENTS_MAX:
        raise BadInput(f"at most {EVENTS_MAX} events")
    for event in events:
        check_event(event)
    if (await session.scalar(select(func.count(WebhookEndpoint.id))) or 0) >= ENDPOINTS_MAX:
        raise BadInput(f"there are {ENDPOINTS_MAX} endpoints already, the most there may be")
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
    endpoint = WebhookEndpoint(
        url=url, secret=vault.seal({"secret": secret}), events=sorted(set(events))
    )
    session.add(endpoint)
    await session.flush()
    return endpoint, secret


def secret_of(vault: Vault, sealed: bytes) -> str:
    """The secret of an endpoint. Raises `SecretUnreadable`."""
    return str(vault.open(sealed)["secret"])
