"""What channels tell by themselves: stored once before it is answered, then read or booked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Protocol

import msgspec
from msgspec import Struct
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import connections, inbox
from inventory.errors import InventoryError, TooBusy
from inventory.inbox import Received, content_hash, has_nul
from inventory.models import InboundEvent
from inventory.security import Vault
from inventory.vocabulary import OrderSeen

KIND = "notice"
# A notice that could not be served so often is left to the pull, which reads every changed order.
ATTEMPTS_MAX = 5
AT_ONCE_MAX = 64
PER_SECOND_MAX = 500


class ForgedNotice(InventoryError):
    """What came in bears no proof, or a wrong one, that its channel has sent it."""

    code = "notice_forged"


class Connected(Struct, frozen=True, kw_only=True):
    """A channel as its adapter must be told; never shown."""

    id: int
    kind: str
    base_url: str
    settings: dict[str, Any]
    credentials: dict[str, Any]

    def __repr__(self) -> str:
        """Without the credentials."""
        return f"Connected(id={self.id}, kind={self.kind!r})"


class Told(Protocol):
    """A notice that was read: its name for ever, and the order that it names or tells whole."""

    @property
    def name(self) -> str:
        """The same at every delivery of the same notice."""
        ...

    @property
    def order_refs(self) -> tuple[str, ...]:
        """The orders that it is about."""
        ...

    @property
    def order(self) -> OrderSeen | None:
        """The order as told, if it was."""
        ...


class NoticeReader(Protocol):
    """Reads notices; the composition root hands it in."""

    async def read(self, shop: Connected, headers: Mapping[str, str], body: bytes) -> Told:
        """Raises `ForgedNotice`; `BadInput` for what cannot be read."""
        ...

    async def aclose(self) -> None:
        """Let go of what it holds."""
        ...


class Gate:
    """Bounds what anybody without a key may ask of this process.

    At most 64 notices at once and 500 a second, with a second's worth saved up.
    """

    def __init__(self, tick: Callable[[], float] = time.monotonic) -> None:
        self._tick = tick
        self._inside = 0
        self._level = float(PER_SECOND_MAX)
        self._at = tick()

    @contextmanager
    def passed(self) -> Iterator[None]:
        """Be inside for the block. Raises `TooBusy`."""
        now = self._tick()
        self._level = min(self._level + (now - self._at) * PER_SECOND_MAX, PER_SECOND_MAX)
        self._at = now
        if self._inside >= AT_ONCE_MAX or self._level < 1:
            raise TooBusy("too many notices at once", retry_seconds=1)
        self._level -= 1
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1


async def connected(session: AsyncSession, vault: Vault, code: str) -> Connected:
    """The channel of this code. Raises `NotFound`, `SecretUnreadable`."""
    channel = await connections.channel_by_code(session, code)
    return Connected(
        id=channel.id,
        kind=channel.kind,
        base_url=channel.base_url,
        settings=channel.settings,
        credentials=vault.open(channel.credentials) if channel.credentials else {},
    )


async def keep(
    session: AsyncSession, channel_id: int, told: Told, now: datetime
) -> Received | None:
    """Store a notice once, by its name; None where it is about no order.

    An order told whole is an event like any other. A notice that names orders waits until they
    have been read: it is stored for each of them.
    """
    if told.order is not None and not has_nul(told.order):
        body = msgspec.to_builtins(told.order)
        return await _store(
            session, channel_id, told.name, "order", told.order.order_ref, body, now
        )
    first: Received | None = None
    for order_ref in told.order_refs:
        name = told.name if len(told.order_refs) == 1 else f"{told.name}:{order_ref}"
        body = {"named": order_ref}
        received = await _store(session, channel_id, name, KIND, order_ref, body, now)
        first = first or received
    return first


async def _store(
    session: AsyncSession,
    channel_id: int,
    name: str,
    kind: str,
    subject: str,
    body: dict[str, Any],
    now: datetime,
) -> Received:
    return await inbox.store(
        session,
        channel_id=channel_id,
        event_id=f"notice:{name}",
        kind=kind,
        subject=subject,
        content_hash=content_hash(body),
        body=body,
        received_at=now,
    )


async def waiting_channels(session: AsyncSession) -> list[int]:
    """The channels that have named orders which nobody has read since."""
    rows = await session.scalars(
        select(InboundEvent.channel_id)
        .where(InboundEvent.kind == KIND, InboundEvent.state == "new")
        .distinct()
    )
    return list(rows)


async def waiting(session: AsyncSession, channel_id: int, *, most: int) -> dict[str, list[int]]:
    """Order → the notices that name it, longest waiting first, of up to `most` notices."""
    rows = await session.execute(
        select(InboundEvent.subject, InboundEvent.id)
        .where(
            InboundEvent.channel_id == channel_id,
            InboundEvent.kind == KIND,
            InboundEvent.state == "new",
        )
        .order_by(InboundEvent.attempts, InboundEvent.id)
        .limit(most)
    )
    orders: dict[str, list[int]] = {}
    for subject, event_id in rows:
        orders.setdefault(subject, []).append(event_id)
    return orders


async def served(session: AsyncSession, ids: Sequence[int], *, found: bool, now: datetime) -> None:
    """The order was read after these notices had come in."""
    await _settle(session, ids, "read" if found else "no_such_order", now)


async def unserved(session: AsyncSession, ids: Sequence[int], why: str, now: datetime) -> None:
    """The order could not be read just now; after 5 times it is left to the pull."""
    await session.execute(
        update(InboundEvent)
        .where(InboundEvent.id.in_(ids), InboundEvent.state == "new")
        .values(attempts=InboundEvent.attempts + 1, detail=why[:500])
    )
    tired = InboundEvent.attempts >= ATTEMPTS_MAX
    given_up = await session.scalars(select(InboundEvent.id).where(InboundEvent.id.in_(ids), tired))
    await _settle(session, list(given_up), "left_to_the_pull", now)


async def _settle(session: AsyncSession, ids: Sequence[int], status: str, now: datetime) -> None:
    await session.execute(
        update(InboundEvent)
        .where(InboundEvent.id.in_(ids), InboundEvent.state == "new")
        .values(state="handled", handled_at=now, outcome={"status": status})
    )
