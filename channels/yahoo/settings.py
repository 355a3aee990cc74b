"""What one Yahoo! store needs to know, what it must hide, and how often it may be called."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from msgspec import Struct

from channels.limits import Budget

SET_STOCK = "yahoo.set_stock"
GET_STOCK = "yahoo.get_stock"
ORDER_LIST = "yahoo.order_list"
ORDER_INFO = "yahoo.order_info"
STATUS_CHANGE = "yahoo.status_change"
TOKEN = "yahoo.token"  # noqa: S105  (a budget's name)

# One call a second per address; more is blocked for a while (store API pages, "利用制限").
# Between two calls of one address lies `SPACING_SECONDS` from answer to departure.
SPACING_SECONDS = 1.01
PER_SECOND = (SET_STOCK, GET_STOCK, ORDER_LIST, ORDER_INFO, STATUS_CHANGE)

# 50,000 calls a day are for the application as a whole. They are shared out, so that no address
# can starve another, and each share flows: a long busy day makes calls rarer, never impossible.
# A share's calls in a day are at most its burst and 86,400 / seconds; together 49,855.
DAY_SHARES = (
    Budget(endpoint=f"{ORDER_LIST}.day", seconds=4.4, burst=600),
    Budget(endpoint=f"{SET_STOCK}.day", seconds=6.6, burst=600),
    Budget(endpoint=f"{ORDER_INFO}.day", seconds=7.2, burst=1000),
    Budget(endpoint=f"{GET_STOCK}.day", seconds=43.0, burst=100),
    Budget(endpoint=f"{STATUS_CHANGE}.day", seconds=120.0, burst=100),
)
BUDGETS = (
    *(Budget(endpoint=endpoint, seconds=1.0) for endpoint in PER_SECOND),
    *DAY_SHARES,
    Budget(endpoint=TOKEN, seconds=1.0, burst=5),
)

WINDOW_HOURS_MAX = 90 * 24
ORDERS_READ_MAX = 50


class YahooSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of one Yahoo! store; nothing here is secret.

    `seller_id`: the store account. `auth_base_url`: YConnect v2's host. `window_hours`: how far
    back orders are swept for changes, at least; further where we hold older live ones.
    `overlap_seconds`: how far before the last watermark each search for new orders begins.
    `order_visible_lag_seconds`: how late an order may show in orderList (UNCONFIRMED).
    `orders_read_max`: orderInfo calls (one order each, one a second) in one pull; more would keep
    the first order waiting for the last and bring no more orders in a second. `sweep_every`:
    in every n-th pull one page of the window is looked through. `list_pages_max`: orderList pages
    of 100 in one search. `allow_overdraft`: sent with every number as 0 or 1; None sends nothing,
    and what the stored flag then becomes is UNCONFIRMED.
    """

    seller_id: str
    auth_base_url: str = "https://auth.login.yahoo.co.jp"
    window_hours: float = 24.0
    overlap_seconds: float = 60.0
    order_visible_lag_seconds: float = 2.0
    orders_read_max: int = 3
    sweep_every: int = 3
    list_pages_max: int = 50
    allow_overdraft: bool | None = None

    def __post_init__(self) -> None:
        """Raises ValueError when a number is out of bounds."""
        if not self.seller_id:
            raise ValueError("seller_id is the store account, like my-store")
        if not 0 < self.window_hours <= WINDOW_HOURS_MAX:
            raise ValueError("window_hours must be above 0 and at most 90 days")
        if self.overlap_seconds < 0 or self.order_visible_lag_seconds < 0:
            raise ValueError("overlap_seconds and order_visible_lag_seconds cannot be negative")
        if not 1 <= self.orders_read_max <= ORDERS_READ_MAX:
            raise ValueError(f"orders_read_max must be 1-{ORDERS_READ_MAX}")
        if self.sweep_every < 1 or self.list_pages_max < 1:
            raise ValueError("sweep_every and list_pages_max are at least 1")


class YahooCredentials(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The application's keys, the store's consent, and the key of the proof; secret.

    The refresh token ends four weeks after the consent, the public key (ストアクリエイターPro,
    暗号鍵管理) a year after its issue; both are renewed by a person.
    """

    client_id: str
    client_secret: str
    refresh_token: str
    public_key_pem: str
    public_key_version: str

    def __post_init__(self) -> None:
        """Raises ValueError when the public key cannot be used."""
        self.public_key()

    def __repr__(self) -> str:
        """Without the values."""
        return "YahooCredentials(***)"

    def public_key(self) -> rsa.RSAPublicKey:
        """The key that seals the proof. Raises ValueError when it is no RSA key in PEM."""
        wrong = ValueError("public_key_pem must be an RSA public key in PEM")
        try:
            key = serialization.load_pem_public_key(self.public_key_pem.encode())
        except (ValueError, UnsupportedAlgorithm):
            raise wrong from None
        if not isinstance(key, rsa.RSAPublicKey):
            raise wrong
        return key
