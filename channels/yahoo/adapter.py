"""One Yahoo! store behind the port: absolute writes by the thousand, orders one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from channels.base import (
    Adapter,
    Cancels,
    Capabilities,
    Discovered,
    History,
    Pulled,
    Rejected,
    Write,
)
from channels.http import ChannelHttp
from channels.keep import Means
from channels.limits import Budgets
from channels.purposes import Purpose, asking
from channels.yahoo import history, mapping
from channels.yahoo.budgets import BUDGETS, ORDER_COUNT, budgets
from channels.yahoo.cancels import Cancellations
from channels.yahoo.client import YahooClient
from channels.yahoo.discovery import listings_from
from channels.yahoo.flags import Flags
from channels.yahoo.pull import pull
from channels.yahoo.settings import YahooCredentials, YahooSettings
from channels.yahoo.stock import ROWS_MAX, Numbers
from channels.yahoo.wire import YahooWire, token_error
from channels.yahoo.xml import code_of
from inventory.vocabulary import (
    CancelRequest,
    CancelState,
    Danger,
    Expiry,
    Kind,
    OrderSeen,
    PushOutcome,
    QuantityPush,
    Reading,
    Standing,
)

__all__ = ["BUDGETS", "YahooAdapter", "YahooCredentials", "YahooSettings", "build"]

CONSENT, PUBLIC_KEY = "consent", "public key（公開鍵）"
FILE_ASKED = {"asked": True}


class YahooAdapter(Adapter):
    """See `channels.base.Adapter`."""

    def __init__(
        self,
        client: YahooClient,
        settings: YahooSettings,
        credentials: YahooCredentials,
        means: Means,
        *,
        budgets: Budgets,
        flags: Flags,
        now: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._settings = settings
        self._public_key_ends_at = credentials.public_key_ends_at
        self._dangers = _dangers(credentials)
        self._budgets = budgets
        self._now = now
        self._numbers = Numbers(client, settings, flags)
        self._cancellations = Cancellations(
            client, settings, means.keep, read=self.read_order, now=now
        )

    @property
    def capabilities(self) -> Capabilities:
        """The setStock call takes 1000 codes; reason 210 leaves the items closed."""
        takes_back = self._settings.takes_back
        return Capabilities(
            kind=Kind.YAHOO,
            write=Write.ABSOLUTE,
            writes=frozenset({Write.ABSOLUTE, Write.RELATIVE} if takes_back else {Write.ABSOLUTE}),
            cancels=Cancels.PARTS,
            push_batch_max=ROWS_MAX,
            read_batch_max=ROWS_MAX,
            pull_seconds=0.2,
            pull_seconds_quiet=10.0,
            pull_endpoint=ORDER_COUNT,
            takes_back=takes_back,
            discovers=True,
            closes_on_out_of_stock=True,
        )

    @property
    def budgets(self) -> Budgets:
        """The call budgets, shared with every other worker."""
        return self._budgets

    async def standing(self) -> Standing:
        """Try token and proof with orderCount; when the consent and the public key end.

        Neither date can be asked of Yahoo!: both are counted from what the credentials say.
        """
        await self._client.count_orders()
        expiries = [Expiry(name=CONSENT, ends_at=await self._client.wire.consent.ends_at())]
        if self._public_key_ends_at is not None:
            expiries.append(Expiry(name=PUBLIC_KEY, ends_at=self._public_key_ends_at))
        return Standing(
            account=self._settings.seller_id,
            expiries=tuple(expiries),
            dangers=tuple(Danger(code=code, detail=text) for code, text in self._dangers.items()),
        )

    async def pull_orders(self, cursor: dict[str, Any], *, seen: Mapping[str, str]) -> Pulled:
        """New and changed orders, as many as one call a second allows in a short pull."""
        with asking(Purpose.PULL):
            return await pull(self._client, self._settings, cursor, seen=seen, now=self._now)

    async def read_order(self, order_ref: str) -> OrderSeen | None:
        """One order by orderInfo. Raises Rejected when it is there and cannot be read.

        The code for an unknown order is not published, so after a refusal the list is asked.
        """
        observed_at = self._now()
        try:
            info = await self._client.order_info(order_ref)
            return mapping.order_from(info, observed_at=observed_at)
        except mapping.MalformedOrder as malformed:
            raise Rejected(f"orderInfo: {malformed}") from malformed
        except Rejected:
            if await self._client.has_order(order_ref):
                raise
            return None

    async def push_quantities(self, pushes: Sequence[QuantityPush]) -> list[PushOutcome]:
        """Set up to 1000 numbers; see `Numbers.push`."""
        if any(push.quantity for push in pushes):
            return await self._numbers.push(pushes)
        with asking(Purpose.ZERO):
            return await self._numbers.push(pushes)

    async def read_stock(self, channel_skus: Sequence[str]) -> list[Reading]:
        """Read up to 1000 numbers; None where there is no stock row. Says which are closed."""
        return await self._numbers.read(channel_skus)

    async def take_back(self, push: QuantityPush) -> PushOutcome:
        """Take units back by a relative number, where the settings allow it."""
        if not self._settings.takes_back:
            raise Rejected("setStock: what a change below zero does is not confirmed (takes_back)")
        return await self._numbers.take_back(push)

    async def discover(self, cursor: dict[str, Any]) -> Discovered:
        """All listings at once, out of the file of stock rows that Yahoo! makes when asked.

        The first call asks for the file; the second brings it. Raises `RetryLater` until then.
        """
        with asking(Purpose.BACKGROUND):
            if not cursor:
                await self._client.ask_stock_file()
                return Discovered(listings=(), cursor=FILE_ASKED)
            listings = listings_from(await self._client.stock_file())
        return Discovered(listings=tuple(listings), cursor=None, total=len(listings))

    async def read_history(self, cursor: dict[str, Any], *, since: datetime) -> History:
        """The next orders placed since; shipped ones are not read whole."""
        with asking(Purpose.BACKGROUND):
            return await history.read(self._client, cursor, since=since, now=self._now)

    async def cancel_order(self, request: CancelRequest) -> str:
        """Give up an order for ever, or some of its units; see `Cancellations.submit`."""
        with asking(Purpose.CANCEL):
            return await self._cancellations.submit(request)

    async def cancel_state(self, order_ref: str, reference: str) -> CancelState:
        """Whether the order itself shows that it, or the part named in `reference`, is given up."""
        with asking(Purpose.CANCEL):
            return await self._cancellations.state(order_ref, reference)

    async def aclose(self) -> None:
        """Close connections."""
        await self._client.aclose()


def _dangers(credentials: YahooCredentials) -> dict[str, str]:
    dangers = {}
    if not credentials.public_key_pem:
        dangers["no_public_key"] = "without a public key a person must consent every 12 hours"
    if credentials.consented_at is None:
        dangers["consent_date_unknown"] = "the consent is counted from our first use of it"
    return dangers


def build(
    *,
    channel_id: int,
    base_url: str,
    settings: YahooSettings,
    credentials: YahooCredentials,
    means: Means,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Adapter:
    """The adapter of one store. `base_url` is https://circus.shopping.yahooapis.jp for a real one.

    (The test host is test.circus.shopping.yahooapis.jp, for stores named snbx-….)
    """
    shared = Budgets(
        means.redis,
        channel_id=channel_id,
        budgets=budgets(second_per_store=settings.second_per_store),
        credential=credentials.client_id,
        now=now,
    )
    wire = YahooWire(
        ChannelHttp(base_url=base_url, budgets=shared, words=code_of),
        ChannelHttp(base_url=settings.auth_base_url, budgets=shared, words=token_error),
        settings,
        credentials,
        keep=means.keep,
        now=now,
    )
    return YahooAdapter(
        YahooClient(wire),
        settings,
        credentials,
        means,
        budgets=shared,
        flags=Flags(means.redis, channel_id=channel_id),
        now=now,
    )
