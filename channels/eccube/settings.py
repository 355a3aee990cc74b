"""What one EC-CUBE shop needs to know, what it must hide, and how often it is called."""

from __future__ import annotations

from msgspec import Struct

from channels.limits import Budget

API = "eccube.api"
TOKEN = "eccube.token"  # noqa: S105  (a budget's name)


class EccubeSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of one EC-CUBE shop; nothing here is secret.

    `api_path` and `token_path`: where the Web API plugin answers below the base address.
    `calls_per_second`: a bound of our own, as the plugin has none and shares the shop's server.
    `count_pending`: an order whose payment is under way (status 7) counts as sold, as EC-CUBE has
    taken its units already; that its search takes these statuses is UNCONFIRMED, and where it does
    not, every pull fails aloud. `refresh_token_days`: how long a refresh token lasts (UNCONFIRMED;
    the plugin's library has one month). `order_visible_lag_seconds`: how late an order may appear
    in the search, and `overlap_seconds`: how far before the last watermark each pull begins.
    `first_pull_days`: how far back the very first pull reaches.
    """

    api_path: str = "/api"
    token_path: str = "/token"  # noqa: S105  (an address)
    calls_per_second: float = 5.0
    count_pending: bool = True
    refresh_token_days: float = 30.0
    order_visible_lag_seconds: float = 5.0
    overlap_seconds: float = 60.0
    first_pull_days: float = 14.0


class EccubeCredentials(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The OAuth client's keys and the first refresh token; secret.

    Only a person can log in, so the first refresh token is entered by hand; those after it are
    kept. `webhook_secret` proves notices; without one none is believed.
    """

    client_id: str
    client_secret: str
    refresh_token: str
    webhook_secret: str = ""

    def __repr__(self) -> str:
        return "EccubeCredentials(***)"


def budgets_for(settings: EccubeSettings) -> tuple[Budget, ...]:
    """Bounds of our own on calls and logins; the plugin states none."""
    return (
        Budget(endpoint=API, seconds=1 / settings.calls_per_second, burst=10),
        Budget(endpoint=TOKEN, seconds=1.0, burst=5),
    )


BUDGETS = budgets_for(EccubeSettings())
