"""What one Yahoo! store needs to know, and what it must hide."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from msgspec import Struct

from channels.yahoo.budgets import BUDGETS

__all__ = ["BUDGETS", "Overdraft", "YahooCredentials", "YahooSettings"]

WINDOW_HOURS_MAX = 90 * 24
OPEN_DAYS_MAX = 365
ORDERS_READ_MAX = 50


class Overdraft(StrEnum):
    """What is sent as `allow_overdraft` with a number.

    `keep`: the flag that getStock shows, unchanged. `omit`: nothing, and what the stored flag
    then becomes is UNCONFIRMED. `refuse`: 0, so that no order may exceed the stock.
    """

    KEEP = "keep"
    OMIT = "omit"
    REFUSE = "refuse"


class YahooSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of one Yahoo! store; nothing here is secret.

    `seller_id`: the store account. `auth_base_url`: YConnect v2's host. `open_order_days`: how far
    back the first pulls look for open orders. `window_hours`: how far back orders are swept for
    changes, at least; further where we hold older live ones.
    `overlap_seconds`: how far before the end of the last search for new orders the next one begins.
    `order_visible_lag_seconds`: how late an order may show in orderList (UNCONFIRMED).
    `orders_read_max`: orderInfo calls (one order each, one a second) in one pull; more would keep
    the first order waiting for the last and bring no more orders in a second. `sweep_every`:
    in every n-th pull one page of the window is looked through. `list_pages_max`: orderList pages
    of 100 in one search. `list_seconds`: while orderCount shows no change, orderList is asked no
    oftener than this; 0 asks it in every pull.

    What Yahoo! does not say (all UNCONFIRMED), with the safer reading as the default:
    `allow_overdraft`: see `Overdraft`. `write_unregistered`: write numbers for codes that have no
    stock row yet; they wait unseen until such an item is registered. `takes_back`: use relative
    decreases; what happens below zero is not said. `line_to_zero`: give up a whole line of an
    order by Quantity 0. `is_point_fix`: sent with a cancellation. `proof_on_stock`,
    `proof_on_token`: send the proof by public key there too. `proof_status_required`: an order
    answer without X-SWS-Authorize-Status counts as a failed proof. `consent_days`,
    `unproved_hours`: how long a consent lasts with and without a public key.
    `consent_renewed_by_refresh`: a new refresh token begins the `consent_days` anew.
    `second_per_store`: each store has its own call a second; else stores of one application
    share it.
    """

    seller_id: str
    auth_base_url: str = "https://auth.login.yahoo.co.jp"
    open_order_days: float = 90.0
    window_hours: float = 96.0
    overlap_seconds: float = 60.0
    order_visible_lag_seconds: float = 2.0
    orders_read_max: int = 3
    sweep_every: int = 3
    list_pages_max: int = 50
    list_seconds: float = 3.0
    allow_overdraft: Overdraft = Overdraft.KEEP
    write_unregistered: bool = False
    takes_back: bool = False
    line_to_zero: bool = False
    is_point_fix: bool = False
    proof_on_stock: bool = True
    proof_on_token: bool = True
    proof_status_required: bool = True
    consent_days: float = 28.0
    unproved_hours: float = 12.0
    consent_renewed_by_refresh: bool = False
    second_per_store: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError when a number is out of bounds."""
        if not self.seller_id:
            raise ValueError("seller_id is the store account, like my-store")
        if not 0 < self.window_hours <= WINDOW_HOURS_MAX:
            raise ValueError("window_hours must be above 0 and at most 90 days")
        if not 0 < self.open_order_days <= OPEN_DAYS_MAX:
            raise ValueError(f"open_order_days must be above 0 and at most {OPEN_DAYS_MAX}")
        waits = (self.overlap_seconds, self.order_visible_lag_seconds, self.list_seconds)
        if min(waits) < 0:
            raise ValueError(
                "overlap_seconds, order_visible_lag_seconds and list_seconds cannot be negative"
            )
        if not 1 <= self.orders_read_max <= ORDERS_READ_MAX:
            raise ValueError(f"orders_read_max must be 1-{ORDERS_READ_MAX}")
        if self.sweep_every < 1 or self.list_pages_max < 1:
            raise ValueError("sweep_every and list_pages_max are at least 1")
        if self.consent_days <= 0 or self.unproved_hours <= 0:
            raise ValueError("consent_days and unproved_hours must be above 0")


class YahooCredentials(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The application's keys, the store's consent, and the key of the proof; secret.

    `refresh_token` is the first one of a consent; what Yahoo! hands out later is kept by us.
    `consented_at` is when the store's Yahoo! ID consented, with its offset from UTC; where it is
    left out, the consent is counted from our first use of it. The public key
    (ストアクリエイターPro, 暗号鍵管理) ends a year after its issue, at `public_key_ends_at`;
    without one the order functions work for 12 hours after the consent. Both are renewed by a
    person.
    """

    client_id: str
    client_secret: str
    refresh_token: str
    consented_at: datetime | None = None
    public_key_pem: str = ""
    public_key_version: str = ""
    public_key_ends_at: datetime | None = None

    def __post_init__(self) -> None:
        """Raises ValueError when the public key cannot be used, or a time has no offset."""
        if bool(self.public_key_pem) != bool(self.public_key_version):
            raise ValueError("public_key_pem and public_key_version go together")
        for name in ("consented_at", "public_key_ends_at"):
            moment = getattr(self, name)
            if moment is not None and moment.tzinfo is None:
                raise ValueError(f"{name} needs an offset from UTC, like +09:00")
        self.public_key()

    def __repr__(self) -> str:
        """Without the values."""
        return "YahooCredentials(***)"

    def public_key(self) -> rsa.RSAPublicKey | None:
        """The key that seals the proof, None where there is none.

        Raises ValueError when it is no RSA key in PEM.
        """
        if not self.public_key_pem:
            return None
        wrong = ValueError("public_key_pem must be an RSA public key in PEM")
        try:
            key = serialization.load_pem_public_key(self.public_key_pem.encode())
        except (ValueError, UnsupportedAlgorithm):
            raise wrong from None
        if not isinstance(key, rsa.RSAPublicKey):
            raise wrong
        return key
