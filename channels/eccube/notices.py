"""EC-CUBE's webhooks: proven by HMAC over the raw body; they name orders and are sent once."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from uuid import uuid4

import msgspec
from msgspec import Struct

from channels.base import Notice, NoticeForged, Rejected
from channels.eccube.settings import EccubeCredentials

ORDERS_MAX = 500


class Event(Struct, frozen=True):
    """One thing that changed in the shop."""

    entity: str
    id: int | str
    action: str


class Notices:
    """Reads the webhooks of one shop."""

    def __init__(self, credentials: EccubeCredentials) -> None:
        self._secret = credentials.webhook_secret.encode()

    def read(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """The orders that changed. Raises `NoticeForged`, `Rejected`.

        A list of events (Web API plugin, WebHookService), or a single one as its documents show.
        They have no id and no retry, so each one is new: an order may change twice in one second.
        Products are left out, as our own numbers come back as such.
        """
        given = {name.lower(): value for name, value in headers.items()}
        signature = given.get("x-eccube-signature", "").encode("utf-8", "replace")
        right = hmac.digest(self._secret, body, "sha256").hex().encode() if self._secret else b""
        if not right or not hmac.compare_digest(right, signature):
            raise NoticeForged("the signature is not the shop's")
        try:
            told = msgspec.json.decode(body, type=list[Event] | Event)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Rejected("the notice cannot be read") from error
        events = told if isinstance(told, list) else [told]
        refs = dict.fromkeys(str(event.id) for event in events if event.entity == "order")
        if len(refs) > ORDERS_MAX:
            raise Rejected(f"the notice names more than {ORDERS_MAX} orders")
        return Notice(name=uuid4().hex, order_refs=tuple(refs))
