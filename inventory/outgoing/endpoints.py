"""Where messages go: addresses and keys are sealed, and only what is no secret is ever shown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.alerting.teams import team_by_code
from inventory.errors import BadInput, NotFound
from inventory.fields import Text, Url
from inventory.models import WebhookEndpoint
from inventory.outgoing.addresses import (
    MAIL,
    WEB,
    AddressRefused,
    Network,
    Target,
    check_url,
    parse_target,
)
from inventory.outgoing.signing import new_keys
from inventory.security import Vault

ENDPOINTS_MAX = 100
EVENTS_MAX = 50
EVENT_CHARACTERS_MAX = 100
RECIPIENTS_MAX = 20
CHATWORK_URL = "https://api.chatwork.com"
# For programs: a chat room would be flooded.
PROGRAMS_ONLY = "listing.quantity"
# As Standard Webhooks wants the type of a message: words joined by full stops.
EVENT = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")
MAILBOX = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,190}")
TOKEN = re.compile(r"[!-~]{1,200}")
ROOM = re.compile(r"[0-9]{1,20}")

TransportName = Literal[
    "webhook", "slack", "teams", "google_chat", "chatwork", "line_works", "email"
]
Secret = Annotated[str, Meta(max_length=500, description="Sealed, and never shown again.")]
Team = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00-\x20\x7f-\x9f\u2028\u2029]+\Z",
        description="The code of a team that is there.",
    ),
]
Events = Annotated[list[Text], Meta(max_length=EVENTS_MAX)]


class Reach(Struct, frozen=True, kw_only=True):
    """The whole address of an endpoint with its tokens, as it is sealed."""

    url: str
    token: str = ""
    room: str = ""
    username: str = ""
    password: str = ""
    sender: str = ""
    recipients: list[str] = []

    def __repr__(self) -> str:
        """Without anything: all of it may be a key."""
        return "Reach()"


class NewEndpoint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where messages shall go. `events` such as alert.fired, none means all; `team` none, every.

    `kind` webhook is signed; slack, teams, google_chat and line_works post to an incoming webhook's
    `url`; chatwork needs `room` and `token`; email a server's `url` (smtps://host or smtp://host
    with STARTTLS), `sender`, 1 to 20 `recipients`, and `username` and `password` where it asks.
    """

    url: Url | None = None
    kind: TransportName = "webhook"
    name: Text = ""
    team: Team | None = None
    events: Events = []
    token: Secret = ""
    room: Secret = ""
    username: Secret = ""
    password: Secret = ""
    sender: Secret = ""
    recipients: Annotated[list[Secret], Meta(max_length=RECIPIENTS_MAX)] = []

    def __repr__(self) -> str:
        """Without the address and its tokens."""
        return f"NewEndpoint({self.kind})"


def check_event(event: str) -> None:
    """Raise `BadInput` unless it reads like alert.fired, in at most 100 characters."""
    if len(event) > EVENT_CHARACTERS_MAX or not EVENT.fullmatch(event):
        raise BadInput("an event is named like alert.fired: small letters, digits, _ and dots")


def check_events(kind: str, events: Sequence[str]) -> None:
    """Raise `BadInput` unless an endpoint of this kind may take these: at most 50."""
    if len(events) > EVENTS_MAX:
        raise BadInput(f"at most {EVENTS_MAX} events")
    for event in events:
        check_event(event)
    if kind != "webhook" and PROGRAMS_ONLY in events:
        raise BadInput(f"{PROGRAMS_ONLY} is for programs: use kind webhook")


async def add_endpoint(
    session: AsyncSession,
    vault: Vault,
    *,
    url: str,
    events: Sequence[str],
    networks: Sequence[Network],
    team: str | None = None,
) -> tuple[WebhookEndpoint, str]:
    """Add a signed webhook; returned with its secret (whsec_…), which cannot be shown again.

    Raises as `add` does.
    """
    wanted = NewEndpoint(url=url, events=list(events), team=team)
    return await add(session, vault, wanted, networks)


async def add(
    session: AsyncSession, vault: Vault, wanted: NewEndpoint, networks: Sequence[Network]
) -> tuple[WebhookEndpoint, str]:
    """Add an endpoint; returned with the secret that signs its messages, shown this once.

    The URL is judged by its text (`addresses.check_url`) and its name is looked up only when
    something is sent. Raises `AddressRefused`, `NotFound` for a team that is not there, and
    `BadInput` for what the kind needs and does not have, more than 50 events, one that is no
    event's name, or more than 100 endpoints.
    """
    reach, target = _reach(wanted, networks)
    check_events(wanted.kind, wanted.events)
    if wanted.team is not None:
        await team_by_code(session, wanted.team)
    held = select(func.count(WebhookEndpoint.id)).where(WebhookEndpoint.removed_at.is_(None))
    if (await session.scalar(held) or 0) >= ENDPOINTS_MAX:
        raise BadInput(f"there are {ENDPOINTS_MAX} endpoints already, the most there may be")
    keys = new_keys()
    endpoint = WebhookEndpoint(
        kind=wanted.kind,
        name=wanted.name,
        team=wanted.team,
        url=target.shown,
        address=vault.seal(msgspec.to_builtins(reach)),
        secret=vault.seal(msgspec.to_builtins(keys)),
        public_key=keys.public_key if wanted.kind == "webhook" else None,
        events=sorted(set(wanted.events)),
    )
    session.add(endpoint)
    await session.flush()
    return endpoint, keys.secret


def _reach(wanted: NewEndpoint, networks: Sequence[Network]) -> tuple[Reach, Target]:
    """What is sealed, and its URL taken apart."""
    url = CHATWORK_URL if wanted.kind == "chatwork" and wanted.url is None else wanted.url
    if url is None:
        raise BadInput(f"an endpoint of kind {wanted.kind} needs a url")
    target = check_url(url, networks, MAIL if wanted.kind == "email" else WEB)
    if wanted.kind == "chatwork":
        if not ROOM.fullmatch(wanted.room) or not TOKEN.fullmatch(wanted.token):
            raise BadInput("chatwork needs a room (its digits) and a token")
        if target.path != "/":
            raise AddressRefused("the address of chatwork ends after its host")
    elif wanted.room or wanted.token:
        raise BadInput("room and token are for chatwork")
    if wanted.kind == "email":
        _check_mail(wanted)
    elif wanted.username or wanted.password or wanted.sender or wanted.recipients:
        raise BadInput("username, password, sender and recipients are for email")
    reach = Reach(
        url=url,
        token=wanted.token,
        room=wanted.room,
        username=wanted.username,
        password=wanted.password,
        sender=wanted.sender,
        recipients=list(dict.fromkeys(wanted.recipients)),
    )
    return reach, target


def _check_mail(wanted: NewEndpoint) -> None:
    if not 0 < len(wanted.recipients) <= RECIPIENTS_MAX:
        raise BadInput(f"email needs 1 to {RECIPIENTS_MAX} recipients")
    if not all(MAILBOX.fullmatch(each) for each in (wanted.sender, *wanted.recipients)):
        raise BadInput("sender and recipients are plain mail addresses such as buyers@shop.example")
    if bool(wanted.username) != bool(wanted.password):
        raise BadInput("username and password come together")
    for text in (wanted.username, wanted.password):
        if text and not (text.isascii() and text.isprintable()):
            raise BadInput("username and password are printable ASCII")


def reach_of(vault: Vault, sealed: bytes) -> Reach:
    """The whole address of an endpoint. Raises `SecretUnreadable`."""
    return msgspec.convert(vault.open(sealed), type=Reach)


def shown(endpoint: WebhookEndpoint) -> str:
    """What may be shown of its address: of one that no worker has sealed yet, too."""
    return parse_target(endpoint.url).shown if endpoint.address is None else endpoint.url


async def find(session: AsyncSession, endpoint_id: int) -> WebhookEndpoint:
    """An endpoint that was not removed, locked for a change. Raises `NotFound`."""
    endpoint = await session.get(WebhookEndpoint, endpoint_id, with_for_update={"key_share": True})
    if endpoint is None or endpoint.removed_at is not None:
        raise NotFound(f"no webhook endpoint {endpoint_id}")
    return endpoint


async def remove(session: AsyncSession, endpoint_id: int, now: datetime) -> None:
    """Send nothing more there, and forget address and keys. Raises `NotFound`."""
    endpoint = await find(session, endpoint_id)
    endpoint.active, endpoint.removed_at = False, now
    endpoint.url = shown(endpoint)
    endpoint.address = endpoint.secret = b""
    endpoint.secret_previous = endpoint.public_key_previous = endpoint.previous_until = None


async def enable(session: AsyncSession, endpoint_id: int) -> WebhookEndpoint:
    """Send there again after a 410; what it missed comes by a replay. Raises `NotFound`.

    It counts as failing until its first good answer, which closes the alert about it.
    """
    endpoint = await find(session, endpoint_id)
    endpoint.active = True
    return endpoint
