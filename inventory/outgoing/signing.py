"""Signatures of Standard Webhooks: `v1` by a shared secret, `v1a` by a key of our own."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct
from standardwebhooks import Webhook

SECRET_BYTES = 32
SECRET, PRIVATE, PUBLIC = "whsec_", "whsk_", "whpk_"


class Keys(Struct, frozen=True, kw_only=True):
    """What signs for one endpoint: a secret that the receiver has too, and a key that it has not.

    `key` is empty for an endpoint that is older than `v1a`.
    """

    secret: str
    key: str = ""

    def __repr__(self) -> str:
        """Without them."""
        return "Keys()"

    @property
    def public_key(self) -> str | None:
        """What verifies `v1a` (whpk_…): no secret, it can be shown at any time."""
        if not self.key:
            return None
        return PUBLIC + _text(_private(self.key).public_key().public_bytes_raw())


def new_keys() -> Keys:
    """A secret of 32 random bytes and an ed25519 key."""
    return Keys(
        secret=SECRET + _text(secrets.token_bytes(SECRET_BYTES)),
        key=PRIVATE + _text(Ed25519PrivateKey.generate().private_bytes_raw()),
    )


def signature(keys: Sequence[Keys], *, message_id: str, now: datetime, content: bytes) -> str:
    """The header `webhook-signature`: for all keys, the newest first, `v1` and then `v1a`.

    Signed is "id.seconds.content" as Standard Webhooks 1.0.0 asks ("Signature scheme").
    """
    signed = f"{message_id}.{int(now.timestamp())}.".encode() + content
    found = [Webhook(each.secret).sign(message_id, now, content.decode()) for each in keys]
    found += ["v1a," + _text(_private(each.key).sign(signed)) for each in keys if each.key]
    return " ".join(found)


def _private(key: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(key.removeprefix(PRIVATE)))


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
