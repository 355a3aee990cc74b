"""The port: what every marketplace adapter can do, and the errors that say who must act."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from inventory.vocabulary import (
    CancelRequest,
    CancelState,
    Kind,
    OrderSeen,
    PushOutcome,
    QuantityPush,
    Reading,
)

if TYPE_CHECKING:
    from channels.limits import Budgets


class Write(StrEnum):
    """How a channel lets a number be written.

    `absolute` overwrites (and may give back units just sold, L7); `relative` adds a change, which
    is safe at any time.
    """

    ABSOLUTE = "absolute"
    RELATIVE = "relative"


class Capabilities(Struct, frozen=True, kw_only=True):
    """What publishing and the desk decide by; they never look at the channel's name.

    `pull_seconds` is the pause between order pulls while the night is busy, `pull_seconds_quiet`
    otherwise. `pull_endpoint` names the budget a pull spends, so that the pause can be stretched
    as the bucket runs dry. `repeatable` says that a relative write sent again with the same key
    has one effect. `closes_on_out_of_stock`: a cancel for out of stock leaves the listing closed.
    """

    kind: Kind
    write: Write
    push_batch_max: int
    read_batch_max: int
    pull_seconds: float
    pull_seconds_quiet: float
    pull_endpoint: str
    repeatable: bool = False
    can_cancel: bool = True
    closes_on_out_of_stock: bool = False


class Pulled(Struct, frozen=True, kw_only=True):
    """The result of one order pull.

    `watermark`: every order placed at the channel up to this moment is in our hands once `orders`
    are stored (the channel's own completeness time, or start of the pull − its lag; L5).
    `cursor` is the adapter's own JSON for the next pull. `problems` are orders that could not be
    read: (order_ref, what is wrong).
    """

    orders: tuple[OrderSeen, ...]
    cursor: dict[str, Any]
    watermark: datetime
    problems: tuple[tuple[str, str], ...] = ()


class Adapter(Protocol):
    """One connected shop. Every method may raise any `ChannelError`."""

    @property
    def capabilities(self) -> Capabilities:
        """What this channel can do."""
        ...

    @property
    def budgets(self) -> Budgets:
        """The call budgets, shared with every other worker."""
        ...

    async def pull_orders(self, cursor: dict[str, Any], *, seen: Mapping[str, str]) -> Pulled:
        """Orders new or changed since `cursor` ({} at first).

        `seen` maps the order refs that we hold and that are not yet finished, plus recent ones,
        to the hint last stored; an adapter that pays per order fetches only what differs.
        """
        ...

    async def read_order(self, order_ref: str) -> OrderSeen | None:
        """One order as it stands now, or None where the channel has no such order."""
        ...

    async def push_quantities(self, pushes: Sequence[QuantityPush]) -> list[PushOutcome]:
        """Write up to `push_batch_max` numbers; one outcome for each, in the same order.

        Raises `OutcomeUnknown` when the whole call may or may not have been applied.
        """
        ...

    async def read_stock(self, channel_skus: Sequence[str]) -> list[Reading]:
        """Read up to `read_batch_max` numbers; one reading for each, in the same order."""
        ...

    async def cancel_order(self, request: CancelRequest) -> str:
        """Submit a cancellation; returns the channel's reference for it ("" where it has none)."""
        ...

    async def cancel_state(self, order_ref: str, reference: str) -> CancelState:
        """Read back where a submitted cancellation stands."""
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...


class ChannelError(Exception):
    """Something went wrong at a channel. `code` is stable; the text is safe to show and log."""

    code = "channel_error"


class RetryLater(ChannelError):
    """The channel is down, slow or in maintenance; nothing was changed. Wait `seconds`."""

    code = "retry_later"

    def __init__(self, detail: str, *, seconds: float = 5.0) -> None:
        super().__init__(detail)
        self.seconds = seconds


class Throttled(RetryLater):
    """The channel's rate limit, or our own budget for it, is used up. Wait `seconds`."""

    code = "throttled"


class OutcomeUnknown(ChannelError):
    """A write was sent and no answer came: neither done nor failed. Read back, then decide (L8)."""

    code = "outcome_unknown"


class Rejected(ChannelError):
    """The channel refused the request as wrong; sending it again will not help. Ask a person."""

    code = "rejected"


class AuthExpired(ChannelError):
    """The key or token is refused; a person must renew it, nothing else will work."""

    code = "auth_expired"


class BadAnswer(RetryLater):
    """The channel answered with something that cannot be read. Retried; shown in health."""

    code = "bad_answer"
