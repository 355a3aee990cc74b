"""One Rakuten shop behind the port: absolute writes in bulk, orders by search and read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from channels.base import (
    Adapter,
    AuthExpired,
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
from channels.purposes import Purpose, asks
from channels.rakuten import discovery, mapping
from channels.rakuten.answers import codes_of
from channels.rakuten.client import JST, RakutenClient
from channels.rakuten.history import read_history
from channels.rakuten.orders import OrderReader, head
from channels.rakuten.pull import pull
from channels.rakuten.push import push_rows, take_back
from channels.rakuten.settings import ORDER, RakutenCredentials, RakutenSettings, budgets_of
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

__all__ = ["RakutenAdapter", "RakutenCredentials", "RakutenSettings", "build"]

PUSH_ROWS_MAX = 400
READ_ROWS_MAX = 1000
# inventoryRestoreType 2: whoever ends the order, our next number is the whole truth, and a unit
# put back by Rakuten in between would be sold twice.
RESTORE_NOTHING = 2
LICENSE_DAYS = 90
BLIND = "license.expiryDate.get is not switched on in RMS: nobody is warned before the key ends"


class RakutenAdapter(Adapter):
    """See `channels.base.Adapter`."""

    def __init__(
        self,
        client: RakutenClient,
        settings: RakutenSettings,
        budgets: Budgets,
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._settings = settings
        self._orders = OrderReader(client, settings)
        self._budgets = budgets
        self._now = now

    @property
    def capabilities(self) -> Capabilities:
        """Bulk-upsert takes 400 rows, bulk-get 1000 (InventoryAPI 2.0)."""
        return Capabilities(
            kind=Kind.RAKUTEN,
            write=Write.ABSOLUTE,
            writes=frozenset({Write.ABSOLUTE, Write.RELATIVE}),
            cancels=Cancels.WHOLE,
            push_batch_max=PUSH_ROWS_MAX,
            read_batch_max=READ_ROWS_MAX,
            pull_seconds=0.2,
            pull_seconds_quiet=10.0,
            pull_endpoint=ORDER,
            takes_back=True,
            discovers=True,
        )

    @property
    def budgets(self) -> Budgets:
        """The call budgets, shared with every other worker."""
        return self._budgets

    async def pull_orders(self, cursor: dict[str, Any], *, seen: Mapping[str, str]) -> Pulled:
        """New orders, orders that left the open ones, and some open ones in turn."""
        return await pull(self._orders, self._settings, cursor, seen=seen, now=self._now)

    async def read_order(self, order_ref: str) -> OrderSeen | None:
        """One order, as a pull would read it. Raises Rejected when it cannot be read."""
        observed_at = self._now()
        for raw in await self._orders.read([order_ref]):
            if head(raw).ref == order_ref:
                return _order(raw, observed_at)
        return None

    async def push_quantities(self, pushes: Sequence[QuantityPush]) -> list[PushOutcome]:
        """Set up to 400 numbers from 0 to 99,999; a SKU given twice is refused the second time.

        A bad row never blocks the good ones: a bulk refused as a whole is sent again in parts, in
        at most 24 calls; what is left then is unknown. A number for a SKU that Rakuten does not
        know is accepted and thrown away a day later.
        """
        return await push_rows(self._client, pushes)

    async def take_back(self, push: QuantityPush) -> PushOutcome:
        """See `channels.base.Adapter.take_back`; code `sold` where fewer are left (IE0117)."""
        return await take_back(self._client, push)

    async def read_stock(self, channel_skus: Sequence[str]) -> list[Reading]:
        """Read up to 1000 numbers; None where Rakuten has no stock record."""
        keys = {channel_sku: mapping.split_sku(channel_sku) for channel_sku in channel_skus}
        wanted = list(dict.fromkeys(key for key in keys.values() if key is not None))
        found = await self._client.bulk_get(wanted) if wanted else {}
        readings = []
        for channel_sku in channel_skus:
            key = keys[channel_sku]
            quantity = None if key is None else found.get(key)
            readings.append(Reading(channel_sku=channel_sku, quantity=quantity))
        return readings

    @asks(Purpose.CANCEL)
    async def cancel_order(self, request: CancelRequest) -> str:
        """Apply for the cancellation of a whole order that waits in 100, 200 or 300.

        An order that is cancelled already needs nothing more. Raises Rejected for one that has a
        parcel, is in another state, or does not exist, and for a part of one: no function of RMS
        takes units out of an order without the buyer's address in the same call.
        """
        if request.units:
            raise Rejected("cancelOrder: whole orders only, a part is for a person")
        order = await self._full_order(request.order_ref)
        if order is None:
            raise Rejected(f"cancelOrder: no order {request.order_ref}")
        if order.cancelled:
            return ""
        if not order.cancellable:
            raise Rejected(f"cancelOrder: {order.hint.rpartition(':')[0]}, not 100-300 or shipped")
        await self._client.cancel_order(
            request.order_ref,
            reason=mapping.REASON_CODES[request.reason],
            restore=RESTORE_NOTHING,
        )
        return ""

    @asks(Purpose.CANCEL)
    async def cancel_state(self, order_ref: str, reference: str) -> CancelState:
        """Cancelled at 800 (applied for) or 900 (final); Rakuten gives no reference.

        Who moves 800 to 900, and when, is UNCONFIRMED; an order at 800 is not shipped any more.
        """
        del reference
        order = await self._full_order(order_ref)
        if order is None:
            return CancelState(refused="no such order")
        if order.cancelled:
            return CancelState(confirmed=True)
        if not order.cancellable:
            return CancelState(refused=order.hint.rpartition(":")[0])
        return CancelState()

    async def _full_order(self, order_ref: str) -> OrderSeen | None:
        """One order by getOrder, which alone shows parcels of an order not yet shipped."""
        observed_at = self._now()
        for raw in await self._client.get_orders([order_ref]):
            if head(raw).ref == order_ref:
                return _order(raw, observed_at)
        return None

    async def standing(self) -> Standing:
        """Try the key on orders and numbers, and read when it ends.

        A license key lives 90 days, to the last second of the last one; Rakuten names no shop.
        Raises AuthExpired for a key that is refused or whose functions are not switched on.
        """
        now = self._now()
        await self._orders.page(now - timedelta(minutes=1), now, amount=1)
        await self._client.bulk_get([("hikiate", "standing")])
        try:
            ends_at = await self._key_ends(now)
        except (AuthExpired, Rejected):
            return Standing(dangers=(Danger(code="key_end_unknown", detail=BLIND),))
        return Standing(expiries=(Expiry(name="licenseKey", ends_at=ends_at),))

    async def _key_ends(self, now: datetime) -> datetime:
        """When the license key ends; never later than any key can."""
        last_day = now.astimezone(JST) + timedelta(days=LICENSE_DAYS)
        latest = last_day.replace(hour=23, minute=59, second=59, microsecond=0)
        return min(await self._client.license_ends(), latest).astimezone(UTC)

    @asks(Purpose.BACKGROUND)
    async def discover(self, cursor: dict[str, Any]) -> Discovered:
        """The next listings with codes, numbers and dangers (items.search, bulk-get)."""
        return await discovery.discover(self._client, cursor)

    @asks(Purpose.BACKGROUND)
    async def read_history(self, cursor: dict[str, Any], *, since: datetime) -> History:
        """Past orders of up to 89 days, at most 500 a call."""
        return await read_history(self._orders, cursor, since=since, now=self._now)

    async def aclose(self) -> None:
        """Close connections."""
        await self._client.aclose()


def build(
    *,
    channel_id: int,
    base_url: str,
    settings: RakutenSettings,
    credentials: RakutenCredentials,
    means: Means,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Adapter:
    """The adapter of one shop. `base_url` is https://api.rms.rakuten.co.jp for a real one."""
    budgets = Budgets(means.redis, channel_id=channel_id, budgets=budgets_of(settings))
    http = ChannelHttp(base_url=base_url, budgets=budgets, words=codes_of)
    return RakutenAdapter(RakutenClient(http, credentials, settings), settings, budgets, now=now)


def _order(raw: bytes, observed_at: datetime) -> OrderSeen:
    try:
        return mapping.order_from(raw, observed_at=observed_at)
    except mapping.MalformedOrder as malformed:
        raise Rejected(f"the order cannot be read: {malformed}") from malformed
