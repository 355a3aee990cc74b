"""Secrets: sealing what is stored, and the keys that callers of the API show."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Struct, json
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.errors import BadInput, InventoryError, NotFound, NotPermitted
from inventory.logs import SECRETS, texts_in
from inventory.models import ApiKey, Channel

SECRET_KEY_CHARACTERS_MIN = 32
KEY_PREFIX = "hk_"
KEY_CHARACTERS_MAX = 200
KEY_BYTES = 32


class Unauthenticated(NotPermitted):
    """The key is missing, wrong or revoked."""

    code = "unauthenticated"


class SecretUnreadable(InventoryError):
    """Something was sealed with another secret key; put that key back or enter the secret again."""

    code = "secret_unreadable"


class Scope(StrEnum):
    """What a key may do. Each is documented in the API's description."""

    STOCK_READ = "stock:read"
    STOCK_WRITE = "stock:write"
    ORDERS_WRITE = "orders:write"
    CHANNELS_WRITE = "channels:write"
    DESK_WRITE = "desk:write"
    ALERTS_WRITE = "alerts:write"
    ADMIN = "admin"


SCOPES: Mapping[Scope, str] = {
    Scope.STOCK_READ: "Read everything: SKUs, stock, listings, events, cases, alerts, status.",
    Scope.STOCK_WRITE: "Create and change SKUs and locations; receive, adjust, transfer, return.",
    Scope.ORDERS_WRITE: "Tell an own store's orders, cancellations and shipments; hold stock.",
    Scope.CHANNELS_WRITE: "Connect channels, set rules, map listings, freeze and unfreeze.",
    Scope.DESK_WRITE: "Approve or refuse cancellations; replay events.",
    Scope.ALERTS_WRITE: "Set alert rules and webhook endpoints; replay deliveries.",
    Scope.ADMIN: "Everything.",
}


class Vault:
    """Seals secrets before they are stored and opens them again.

    The secret key may be several, separated by commas, each of at least 32 characters: the first
    seals, all of them open, so that a key can be replaced without entering every secret anew.
    """

    def __init__(self, secret_key: str) -> None:
        parts = [part.strip() for part in secret_key.split(",")]
        if any(len(part) < SECRET_KEY_CHARACTERS_MIN for part in parts):
            parts = [secret_key]
        self._fernet = MultiFernet([Fernet(_derive(part)) for part in parts])

    def __repr__(self) -> str:
        """Without the key."""
        return "Vault()"

    def seal(self, content: Mapping[str, Any]) -> bytes:
        """Encrypt a JSON object, so that whoever reads the database learns nothing."""
        return self._fernet.encrypt(json.encode(content))

    def open(self, sealed: bytes) -> dict[str, Any]:
        """The object that was sealed; its texts are kept out of this process's logs from now on.

        Raises `SecretUnreadable`.
        """
        try:
            encoded = self._fernet.decrypt(sealed)
        except InvalidToken:
            raise SecretUnreadable(
                "a stored secret was sealed with another secret key; set the old key as well"
            ) from None
        content = json.decode(encoded, type=dict[str, Any])
        SECRETS.add(texts_in(content))
        return content


def _derive(secret_key: str) -> bytes:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"hikiate seal").derive(
        secret_key.encode()
    )
    return base64.urlsafe_b64encode(derived)


class Caller(Struct, frozen=True, kw_only=True):
    """Who is calling, as the key says. `channel` is the code of the only channel it may use."""

    name: str
    scopes: frozenset[str]
    channel: str | None = None

    def require(self, scope: Scope, *, channel: str | None) -> None:
        """Raise `NotPermitted` unless the key has the scope, and is not bound to another channel.

        `channel` is the code that the request names, None where it is about the whole house.
        """
        if scope not in self.scopes and Scope.ADMIN not in self.scopes:
            raise NotPermitted(f"this needs a key with the scope {scope.value}")
        if self.channel is not None and self.channel != channel:
            raise NotPermitted(f"this key may be used for the channel {self.channel} only")


def hash_of(key: str) -> bytes:
    """What is stored of a key. The key is random, so a plain hash cannot be guessed back."""
    return hashlib.blake2b(key.encode(), digest_size=32).digest()


async def create_key(
    session: AsyncSession, *, name: str, scopes: Sequence[str], channel: str | None = None
) -> str:
    """Make a key and return it; it cannot be shown again.

    Raises `BadInput` for an unknown scope or none, `NotFound` for an unknown channel.
    """
    known = {scope.value for scope in Scope}
    if not scopes or not known.issuperset(scopes):
        raise BadInput(f"scopes must be some of: {', '.join(sorted(known))}")
    channel_id = None
    if channel is not None:
        channel_id = await session.scalar(select(Channel.id).where(Channel.code == channel))
        if channel_id is None:
            raise NotFound(f"no channel {channel!r}")
    key = KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)
    session.add(
        ApiKey(
            name=name,
            key_hash=hash_of(key),
            scopes=sorted(set(scopes)),
            channel_id=channel_id,
        )
    )
    await session.flush()
    return key


async def revoke_keys(session: AsyncSession, *, name: str, now: datetime) -> int:
    """Revoke every key of this name; how many there were. Raises `NotFound` for none.

    An API process may remember a key for 5 seconds, so it works that much longer at most.
    """
    keys = list(
        await session.scalars(
            select(ApiKey).where(ApiKey.name == name, ApiKey.revoked_at.is_(None))
        )
    )
    if not keys:
        raise NotFound(f"no key {name!r} that could be revoked")
    for key in keys:
        key.revoked_at = now
    return len(keys)


def hash_in(authorization: str | None) -> bytes:
    """The hash of the key in an `Authorization` header. Raises `Unauthenticated` without a key."""
    scheme, _, key = (authorization or "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key.startswith(KEY_PREFIX):
        raise Unauthenticated("send the header: Authorization: Bearer hk_…")
    if len(key) > KEY_CHARACTERS_MAX or not key.isascii():
        raise Unauthenticated("this key is not known")
    return hash_of(key)


async def caller_of(session: AsyncSession, key_hash: bytes) -> Caller:
    """The caller whose key has this hash. Raises `Unauthenticated`."""
    found = (
        await session.execute(
            select(ApiKey.name, ApiKey.scopes, Channel.code)
            .outerjoin(Channel, Channel.id == ApiKey.channel_id)
            .where(ApiKey.key_hash == key_hash, ApiKey.revoked_at.is_(None))
        )
    ).one_or_none()
    if found is None:
        raise Unauthenticated("this key is not known, or was revoked")
    name, scopes, channel = found
    return Caller(name=name, scopes=frozenset(scopes), channel=channel)
