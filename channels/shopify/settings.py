"""What one Shopify shop needs to know, what it must hide, and how many points it may spend."""

from __future__ import annotations

from msgspec import Struct

from channels.limits import Budget

POINTS = "shopify.points"
TOKEN = "shopify.token"  # noqa: S105  (a budget's name)


class ShopifySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of one Shopify shop; nothing here is secret.

    `location_id`: the global id of the location whose numbers are kept; may be left out where the
    shop has one active location. `points_per_second` and `points_at_once`: the plan's restore rate
    and bucket (the standard plan gives 100 a second; the bucket's size is UNCONFIRMED, so a small
    one is assumed). `notify_customer` and `refund_original_payment`: what a cancellation does for
    the buyer. `order_visible_lag_seconds`: how late an order may appear in the list, and
    `overlap_seconds`: how far before the last watermark each pull begins; both UNCONFIRMED.
    `first_pull_days`: how far back the very first pull reaches. `shop_domain`: whose notices are
    taken, as `X-Shopify-Shop-Domain` names it; left out, it is the host of the base address where
    that ends in .myshopify.com, and else not looked at.
    """

    api_version: str = "2026-10"
    location_id: str | None = None
    points_per_second: float = 100.0
    points_at_once: int = 1000
    notify_customer: bool = True
    refund_original_payment: bool = True
    order_visible_lag_seconds: float = 2.0
    overlap_seconds: float = 30.0
    first_pull_days: float = 14.0
    shop_domain: str = ""


class ShopifyCredentials(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The Dev Dashboard app's keys (client credentials grant); secret.

    Notices are signed with the client secret. For up to an hour after it was rotated they may bear
    the old one's signature (Client secrets, rotation): put it into `previous_client_secret`.
    """

    client_id: str
    client_secret: str
    previous_client_secret: str = ""

    def __repr__(self) -> str:
        return "ShopifyCredentials(***)"


def budgets_for(settings: ShopifySettings) -> tuple[Budget, ...]:
    """The plan's points, a tenth of them kept for zeros and cancels; our own bound on logins."""
    return (
        Budget(
            endpoint=POINTS,
            seconds=1 / settings.points_per_second,
            burst=settings.points_at_once,
            kept=settings.points_at_once // 10,
        ),
        Budget(endpoint=TOKEN, seconds=1.0, burst=10),
    )


BUDGETS = budgets_for(ShopifySettings())
