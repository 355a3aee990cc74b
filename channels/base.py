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
    ListingSeen,
    OrderSeen,
    PushOutcome,
    QuantityPush,
    Reading,
    Standing,
)

if TYPE_CHECKING:
    from channels.limits import Budgets


class Write(StrEnum):
    """How a channel lets a number be written.

    `absolute` overwrites (and may give back units just sold, L7); `relative` adds a change, which
    is safe at any time; `compare_and_set` overwrites only what we believe is there.
    """

    ABSOLUTE = "absolute"
    RELATIVE = "relative"
    COMPARE_AND_SET = "compare_and_set"


class Cancels(StrEnum):
    """What of an order a shop may give up by API; `none` makes it a task for a person."""

    NONE = "none"
    WHOLE = "whole"
    PARTS = "parts"


class Capabilities(Struct, frozen=True, kw_only=True):
    """What publishing and the desk decide by; they never look at the channel's name.

    `write` is how `push_quantities` writes, `writes` are all ways that the channel knows.
    `pull_seconds` is the pause between order pulls while the night is busy, `pull_seconds_quiet`
    otherwise. `pull_endpoint` names the budget a pull spends, so that the pause can be stretched
    as the bucket runs dry. `repeatable` says that a relative write sent again with the same key
    has one effect. `notices`: the channel also tells of orders by itself; polling goes on as the
    safety net. `takes_back`: `take_back` works. `bulk_max`: the most numbers of one `push_bulk`
    job, 0 where the channel has no such door. `discovers`: `discover` lists what is on sale.
    `closes_on_out_of_stock`: a cancel for out of stock leaves the listing closed. `restocks`: an
    order that ends puts its units back on sale by itself.
    """

    kind: Kind
    write: Write
    writes: frozenset[Write]
    push_batch_max: int
    read_batch_max: int
    pull_seconds: float
    pull_seconds_quiet: float
    pull_endpoint: str
    cancels: Cancels
    repeatable: bool = False
    notices: bool = False
    takes_back: bool = False
    bulk_max: int = 0
    discovers: bool = False
    closes_on_out_of_stock: bool = False
    restocks: bool = False


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


class History(Struct, frozen=True, kw_only=True):
    """Some of the orders placed in the past, for the metrics only: no stock moves by them.

    One that may still be open carries its lines, and is booked like any other.
    `cursor` continues, None at the end. `until`: every order placed before it has been read.
    """

    orders: tuple[OrderSeen, ...]
    cursor: dict[str, Any] | None
    until: datetime


class Discovered(Struct, frozen=True, kw_only=True):
    """Some of the listings that a channel has. `cursor` continues, None at the end.

    `total` is how many there are in all, None where the channel does not tell.
    """

    listings: tuple[ListingSeen, ...]
    cursor: dict[str, Any] | None
    total: int | None = None


class Notice(Struct, frozen=True, kw_only=True):
    """What a channel told us by itself. `name` makes a second delivery of it a no-op.

    `order` is the order as told; where a notice only names orders, `order_refs` has them and they
    are read. Both empty: nothing of interest (another topic), acknowledged and forgotten.
    """

    name: str
    order_refs: tuple[str, ...] = ()
    order: OrderSeen | None = None


class Adapter(Protocol):
    """One connected shop. Every method may raise any `ChannelError`.

    Adapters derive from this class; what a channel cannot do at all stays as it is here and
    raises `Rejected`, and its capabilities say so beforehand.
    """

    # ruff: noqa: ARG002 -- what is left as it is here uses none of what it is told

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

    async def standing(self) -> Standing:
        """Try the credentials: whose shop they open, and what ends when. Writes nothing."""
        raise Rejected("this channel cannot be asked about itself")

    async def discover(self, cursor: dict[str, Any]) -> Discovered:
        """The next listings of the shop ({} from the first)."""
        raise Rejected("this channel cannot list what it has on sale")

    async def read_history(self, cursor: dict[str, Any], *, since: datetime) -> History:
        """The next orders of any state placed since (at most 89 days ago), oldest first."""
        raise Rejected("this channel cannot show past orders")

    async def take_back(self, push: QuantityPush) -> PushOutcome:
        """Take `-change` units from a listing, refused where the channel has fewer left.

        Safe at any time, as it never gives back what the channel has just sold.
        Raises `OutcomeUnknown`; a repeat would take twice, so it is read back instead (L8).
        """
        raise Rejected("this channel cannot take units back")

    async def push_bulk(self, pushes: Sequence[QuantityPush]) -> str:
        """Hand in up to `bulk_max` numbers as one slow job; the channel's reference for it.

        For a first publish or a whole resync only: never for a zero or a SKU that is selling.
        """
        raise Rejected("this channel takes no bulk jobs")

    async def bulk_state(self, reference: str) -> list[PushOutcome] | None:
        """What became of a bulk job's numbers, None while it is worked on."""
        raise Rejected("this channel takes no bulk jobs")

    async def read_notice(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """Verify and read a notice that came in over HTTP. Does no I/O of its own.

        Raises `NoticeForged` where its proof is wrong, `Rejected` where it cannot be read.
        """
        raise Rejected("this channel sends no notices")

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


class NoticeForged(ChannelError):
    """A notice whose proof (signature, key) is wrong or missing; answered 401 and not stored."""

    code = "notice_forged"


class AuthExpired(ChannelError):
    """The key or token is refused; a person must renew it, nothing else will work."""

    code = "auth_expired"


class BadAnswer(RetryLater):
    """The channel answered with something that cannot be read. Retried; shown in health."""

    code = "bad_answer"
