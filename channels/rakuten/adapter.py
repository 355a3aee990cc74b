"""One Rakuten shop behind the port: absolute writes in bulk, orders by search and read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from channels.base import (
    Adapter,
    Cancels,
    Capabilities,
    OutcomeUnknown,
    Pulled,
    Rejected,
    RetryLater,
    Write,
)
from channels.http import ChannelHttp
from channels.keep import Means
from channels.limits import Budgets
from channels.rakuten import mapping
from channels.rakuten.client import RakutenClient, RowsRefused
from channels.rakuten.pull import order_number, pull
from channels.rakuten.settings import BUDGETS, ORDER, RakutenCredentials, RakutenSettings
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

__all__ = ["BUDGETS", "RakutenAdapter", "RakutenCredentials", "RakutenSettings", "build"]

PUSH_ROWS_MAX = 400
READ_ROWS_MAX = 1000
# inventoryRestoreType 2: whoever ends the order, our next number is the whole truth, and a unit
# put back by Rakuten in between would be sold twice.
RESTORE_NOTHING = 2

Row = tuple[QuantityPush, tuple[str, str, int]]


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
        self._budgets = budgets
        self._now = now

    @property
    def capabilities(self) -> Capabilities:
        """Bulk-upsert takes 400 rows, bulk-get 1000 (InventoryAPI 2.0)."""
        return Capabilities(
            kind=Kind.RAKUTEN,
            write=Write.ABSOLUTE,
            writes=frozenset({Write.ABSOLUTE}),
            cancels=Cancels.WHOLE,
            push_batch_max=PUSH_ROWS_MAX,
            read_batch_max=READ_ROWS_MAX,
            pull_seconds=0.2,
            pull_seconds_quiet=10.0,
            pull_endpoint=ORDER,
        )

    @property
    def budgets(self) -> Budgets:
        """The call budgets, shared with every other worker."""
        return self._budgets

    async def pull_orders(self, cursor: dict[str, Any], *, seen: Mapping[str, str]) -> Pulled:
        """New orders, orders that left the live list, and some live ones in turn."""
        return await pull(self._client, self._settings, cursor, seen=seen, now=self._now)

    async def read_order(self, order_ref: str) -> OrderSeen | None:
        """One order by getOrder. Raises Rejected when it cannot be read."""
        observed_at = self._now()
        version = self._settings.order_version
        for raw in await self._client.get_orders([order_ref], version=version):
            if order_number(raw) != order_ref:
                continue
            try:
                return mapping.order_from(raw, observed_at=observed_at)
            except mapping.MalformedOrder as malformed:
                raise Rejected(f"getOrder: {malformed}") from malformed
        return None

    async def push_quantities(self, pushes: Sequence[QuantityPush]) -> list[PushOutcome]:
        """Set up to 400 numbers from 0 to 99,999.

        Rows that a 400 names are refused and the others sent once more; where it names none, all
        are unknown: whether a refused bulk wrote its good rows is UNCONFIRMED. A number for a SKU
        that Rakuten does not know is accepted and thrown away a day later.
        """
        outcomes: dict[str, PushOutcome] = {}
        rows: list[Row] = []
        for push in pushes:
            key = mapping.split_sku(push.channel_sku)
            if key is None:
                outcomes[push.channel_sku] = _refused(push, "channel_sku")
            elif not 0 <= push.quantity <= mapping.QUANTITY_MAX:
                outcomes[push.channel_sku] = _refused(push, "quantity")
            else:
                rows.append((push, (*key, push.quantity)))
        if rows:
            outcomes |= await self._send(rows)
        return [outcomes[push.channel_sku] for push in pushes]

    async def _send(self, rows: Sequence[Row]) -> dict[str, PushOutcome]:
        try:
            await self._client.bulk_upsert([row for _, row in rows])
        except RowsRefused as refused:
            outcomes, rest = _sorted_out(rows, refused)
            if len(rest) == len(rows):
                return outcomes | _all(rest, PushStatus.UNKNOWN, refused.codes)
            return outcomes | await self._send_rest(rest)
        return _all(rows, PushStatus.ACCEPTED, [])

    async def _send_rest(self, rows: Sequence[Row]) -> dict[str, PushOutcome]:
        if not rows:
            return {}
        try:
            await self._client.bulk_upsert([row for _, row in rows])
        except RowsRefused as refused:
            outcomes, rest = _sorted_out(rows, refused)
            return outcomes | _all(rest, PushStatus.UNKNOWN, refused.codes)
        except (RetryLater, OutcomeUnknown) as error:
            # The first call may have written them: only a reading can tell.
            return _all(rows, PushStatus.UNKNOWN, [error.code])
        return _all(rows, PushStatus.ACCEPTED, [])

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

    async def cancel_order(self, request: CancelRequest) -> str:
        """Apply for the cancellation of a whole order that waits in 100, 200 or 300.

        An order that is cancelled already needs nothing more. Raises Rejected for one that has a
        parcel, is in another state, or does not exist.
        """
        order = await self.read_order(request.order_ref)
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

    async def cancel_state(self, order_ref: str, reference: str) -> CancelState:
        """Cancelled at 800 (applied for) or 900 (final); Rakuten gives no reference.

        Who moves 800 to 900, and when, is UNCONFIRMED; an order at 800 is not shipped any more.
        """
        del reference
        order = await self.read_order(order_ref)
        if order is None:
            return CancelState(refused="no such order")
        if order.cancelled:
            return CancelState(confirmed=True)
        if not order.cancellable:
            return CancelState(refused=order.hint.rpartition(":")[0])
        return CancelState()

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
    budgets = Budgets(means.redis, channel_id=channel_id, budgets=BUDGETS)
    client = RakutenClient(ChannelHttp(base_url=base_url, budgets=budgets), credentials)
    return RakutenAdapter(client, settings, budgets, now=now)


def _sorted_out(
    rows: Sequence[Row], refused: RowsRefused
) -> tuple[dict[str, PushOutcome], list[Row]]:
    outcomes, rest = {}, []
    for position, (push, row) in enumerate(rows):
        if position in refused.rows:
            code, path = refused.rows[position]
            outcomes[push.channel_sku] = _refused(push, path, code=code)
        else:
            rest.append((push, row))
    return outcomes, rest


def _refused(push: QuantityPush, detail: str, *, code: str = "not_possible") -> PushOutcome:
    return PushOutcome(
        channel_sku=push.channel_sku, status=PushStatus.REFUSED, code=code, detail=detail
    )


def _all(rows: Sequence[Row], status: PushStatus, codes: Sequence[str]) -> dict[str, PushOutcome]:
    code = ", ".join(dict.fromkeys(codes))
    return {
        push.channel_sku: PushOutcome(channel_sku=push.channel_sku, status=status, code=code)
        for push, _ in rows
    }
