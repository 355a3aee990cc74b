"""One Yahoo! store behind the port: absolute writes by the thousand, orders one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from channels.base import Adapter, Cancels, Capabilities, Pulled, Rejected, Write
from channels.http import ChannelHttp
from channels.keep import Means
from channels.limits import Budgets
from channels.yahoo import mapping
from channels.yahoo.client import StockRow, YahooClient
from channels.yahoo.pull import pull
from channels.yahoo.settings import BUDGETS, ORDER_LIST, YahooCredentials, YahooSettings
from channels.yahoo.xml import UNCLEAR
from inventory.vocabulary import (
    CancelRequest,
    CancelState,
    Kind,
    OrderSeen,
    PushOutcome,
    PushStatus,
    QuantityPush,
    Reading,
)

__all__ = ["BUDGETS", "YahooAdapter", "YahooCredentials", "YahooSettings", "build"]

PUSH_ROWS_MAX = 1000
# One client refuses 1000 in getStock; where the edge lies is UNCONFIRMED.
READ_ROWS_MAX = 999


class YahooAdapter(Adapter):
    """See `channels.base.Adapter`."""

    def __init__(
        self,
        client: YahooClient,
        settings: YahooSettings,
        budgets: Budgets,
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._settings = settings
        self._budgets = budgets
        self._now = now

    @property
    def capabilities(self) -> Capabilities:
        """The setStock call takes 1000 codes; reason 210 leaves the items closed."""
        return Capabilities(
            kind=Kind.YAHOO,
            write=Write.ABSOLUTE,
            writes=frozenset({Write.ABSOLUTE}),
            cancels=Cancels.WHOLE,
            push_batch_max=PUSH_ROWS_MAX,
            read_batch_max=READ_ROWS_MAX,
            pull_seconds=0.2,
            pull_seconds_quiet=10.0,
            pull_endpoint=f"{ORDER_LIST}.day",
            closes_on_out_of_stock=True,
        )

    @property
    def budgets(self) -> Budgets:
        """The call budgets, shared with every other worker."""
        return self._budgets

    async def pull_orders(self, cursor: dict[str, Any], *, seen: Mapping[str, str]) -> Pulled:
        """New and changed orders, as many as one call a second allows in a short pull."""
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
        """Set up to 1000 numbers; 207 is read row by row, a row left out is unknown.

        A number for an item that Yahoo! does not know is accepted and waits for the item.
        """
        outcomes: dict[str, PushOutcome] = {}
        numbers: dict[str, int] = {}
        for push in pushes:
            sku = push.channel_sku
            if not mapping.is_code(sku):
                outcomes[sku] = _outcome(sku, PushStatus.REFUSED, "not_possible", "channel_sku")
            elif not 0 <= push.quantity <= mapping.QUANTITY_MAX:
                outcomes[sku] = _outcome(sku, PushStatus.REFUSED, "not_possible", "quantity")
            else:
                numbers[sku] = push.quantity
        if numbers:
            outcomes |= await self._send(numbers)
        return [outcomes[push.channel_sku] for push in pushes]

    async def _send(self, numbers: Mapping[str, int]) -> dict[str, PushOutcome]:
        try:
            rows = await self._client.set_stock(numbers)
        except Rejected as refused:
            if len(numbers) > 1:
                raise
            # A lone number that is refused comes as an error of the whole call.
            code = str(refused).rpartition(" ")[2]
            return {sku: _outcome(sku, PushStatus.REFUSED, code) for sku in numbers}
        return {sku: _row_outcome(sku, rows.get(sku)) for sku in numbers}

    async def read_stock(self, channel_skus: Sequence[str]) -> list[Reading]:
        """Read up to 999 numbers; None where there is no stock row. Says which are closed."""
        codes = [sku for sku in dict.fromkeys(channel_skus) if mapping.is_code(sku)]
        rows = await self._client.get_stock(codes) if codes else {}
        readings = []
        for sku in channel_skus:
            row = rows.get(sku, StockRow(quantity=None))
            readings.append(Reading(channel_sku=sku, quantity=row.quantity, closed=row.closed))
        return readings

    async def cancel_order(self, request: CancelRequest) -> str:
        """Cancel a whole order for ever; for out of stock that closes its items for sale.

        An order that is cancelled already needs nothing more. Raises Rejected for one that is on
        its way, shipped, completed or a prank, or does not exist: Yahoo! itself asks nothing.
        """
        order = await self.read_order(request.order_ref)
        if order is None:
            raise Rejected(f"orderStatusChange: no order {request.order_ref}")
        if order.cancelled:
            return ""
        if not order.cancellable:
            raise Rejected(f"orderStatusChange: {order.hint.partition('@')[0]}, sent or not open")
        reason = mapping.REASON_CODES[request.reason]
        await self._client.cancel(request.order_ref, reason=reason)
        return ""

    async def cancel_state(self, order_ref: str, reference: str) -> CancelState:
        """Cancelled when the order itself says so (OrderStatus 4); Yahoo! gives no reference."""
        del reference
        order = await self.read_order(order_ref)
        if order is None:
            return CancelState(refused="no such order")
        if order.cancelled:
            return CancelState(confirmed=True)
        if not order.cancellable:
            return CancelState(refused=order.hint.partition("@")[0])
        return CancelState()

    async def aclose(self) -> None:
        """Close connections."""
        await self._client.aclose()


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
    budgets = Budgets(means.redis, channel_id=channel_id, budgets=BUDGETS)
    client = YahooClient(
        ChannelHttp(base_url=base_url, budgets=budgets),
        ChannelHttp(base_url=settings.auth_base_url, budgets=budgets),
        settings,
        credentials,
    )
    return YahooAdapter(client, settings, budgets, now=now)


def _row_outcome(sku: str, row: StockRow | None) -> PushOutcome:
    if row is None:
        return _outcome(sku, PushStatus.UNKNOWN, "no_row")
    if not row.code:
        return _outcome(sku, PushStatus.ACCEPTED)
    if row.code in UNCLEAR:
        return _outcome(sku, PushStatus.UNKNOWN, row.code)
    return _outcome(sku, PushStatus.REFUSED, row.code)


def _outcome(sku: str, status: PushStatus, code: str = "", detail: str = "") -> PushOutcome:
    return PushOutcome(channel_sku=sku, status=status, code=code, detail=detail)
