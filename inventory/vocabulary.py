"""The words that `inventory` and `channels` share; pure and frozen."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class Kind(StrEnum):
    """The marketplace that a channel belongs to. `house` is the warehouse desk itself."""

    RAKUTEN = "rakuten"
    YAHOO = "yahoo"
    AMAZON = "amazon"
    SHOPIFY = "shopify"
    ECCUBE = "eccube"
    OWN_STORE = "own_store"
    HOUSE = "house"


class Party(StrEnum):
    """Who ended an order or a line of it."""

    BUYER = "buyer"
    SELLER = "seller"
    MARKETPLACE = "marketplace"


class Reason(StrEnum):
    """Why an order is given up. Adapters translate it to the marketplace's own code."""

    OUT_OF_STOCK = "out_of_stock"
    BUYER_REQUEST = "buyer_request"


class OrderLine(Struct, frozen=True, kw_only=True):
    """One line of an order as its channel shows it. Quantities are units, prices whole yen.

    `quantity` is what was ordered; `cancelled` and `shipped` are how many of those units have
    ended either way so far, never more than `quantity` together.
    """

    line_ref: str
    channel_sku: str
    quantity: int
    cancelled: int = 0
    shipped: int = 0
    unit_price: int | None = None


class OrderSeen(Struct, frozen=True, kw_only=True):
    """An order as a channel shows it at one moment: a state, not a change.

    `observed_at` is when the channel was asked (the start of the call): of two snapshots the later
    wins. `hint` is the adapter's own short text for the state it saw in a list (status and last
    change); an order whose hint has not changed need not be fetched again. `cancellable` says
    whether the channel would still accept a cancellation by the shop. `cancelled_by` and
    `cancel_reason` are of its end; while it lives on, of units that ended. No buyer data (L13).
    """

    order_ref: str
    ordered_at: datetime
    observed_at: datetime
    lines: tuple[OrderLine, ...]
    hint: str = ""
    cancelled: bool = False
    cancelled_by: Party | None = None
    cancel_reason: str | None = None
    buyer_asked_to_cancel: bool = False
    cancellable: bool = True
    fulfilled_by_channel: bool = False
    ship_by: datetime | None = None


class QuantityPush(Struct, frozen=True, kw_only=True):
    """A number to show on one listing.

    `quantity` is the absolute number wanted. `change` is the difference to the number that the
    channel is known to show, set when that number is certain; a relative channel sends it.
    `key` names this attempt and stays the same when the same attempt is sent again.
    """

    channel_sku: str
    quantity: int
    change: int | None
    key: str


class PushStatus(StrEnum):
    """What became of one number: `unknown` is neither done nor failed and is read back (L8)."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class PushOutcome(Struct, frozen=True, kw_only=True):
    """The channel's answer for one listing, `code` and `detail` in the channel's own words."""

    channel_sku: str
    status: PushStatus
    code: str = ""
    detail: str = ""


class Reading(Struct, frozen=True, kw_only=True):
    """The number a channel shows. `quantity` is None where the channel has no such listing.

    `closed` means the channel keeps the listing sold out whatever the number says.
    """

    channel_sku: str
    quantity: int | None
    closed: bool = False


class CancelRequest(Struct, frozen=True, kw_only=True):
    """An order to be given up. `line_refs` are all of its lines; `note` is for staff only.

    `units` names (line_ref, units) where only a part is given up; empty means the whole order.
    """

    order_ref: str
    line_refs: tuple[str, ...]
    reason: Reason
    note: str = ""
    units: tuple[tuple[str, int], ...] = ()


class CancelState(Struct, frozen=True, kw_only=True):
    """Where a submitted cancellation stands, read back from the channel.

    Neither `confirmed` nor `refused` means that the channel is still working on it.
    """

    confirmed: bool = False
    refused: str | None = None


class Danger(Struct, frozen=True, kw_only=True):
    """A setting at the channel that lets it sell what is not there; a person changes it there.

    `code` is ours and stable (`unlimited_stock`, `back_order`, `overdraft`), `detail` one sentence.
    `channel_sku` is "" where it holds for the whole shop.
    """

    code: str
    detail: str
    channel_sku: str = ""


class Expiry(Struct, frozen=True, kw_only=True):
    """A key, secret or consent that ends, and when; `name` is the marketplace's word for it."""

    name: str
    ends_at: datetime


class Standing(Struct, frozen=True, kw_only=True):
    """What a channel says of its own connection: the shop that the credentials open, and its ends.

    `account` is the marketplace's name or number of the shop, "" where it tells none. `dangers`
    are those of the shop as a whole; those of single listings come with `ListingSeen`.
    """

    account: str = ""
    expiries: tuple[Expiry, ...] = ()
    dangers: tuple[Danger, ...] = ()


class ListingSeen(Struct, frozen=True, kw_only=True):
    """A listing as the channel has it, for matching with our SKUs by `codes`, best first.

    `codes` are what the shop itself wrote there to know the thing by (merchant SKU, item number);
    `title` is for people. `quantity` is None where the listing is not tracked or not readable.
    """

    channel_sku: str
    codes: tuple[str, ...] = ()
    title: str = ""
    quantity: int | None = None
    closed: bool = False
    fulfilled_by_channel: bool = False
    dangers: tuple[Danger, ...] = ()
