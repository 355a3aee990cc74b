"""A marketplace in memory behind the adapters' port, for what the desk does with its answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from channels.base import Adapter, Cancels, Capabilities, Pulled, Write
from inventory.vocabulary import (
    CancelRequest,
    CancelState,
    Kind,
    OrderSeen,
    Party,
    PushOutcome,
    QuantityPush,
    Reading,
    Reason,
)
from tests.conftest import HandClock

CODES = {
    Kind.RAKUTEN: "8",
    Kind.YAHOO: "210",
    Kind.AMAZON: "NoInventory",
    Kind.SHOPIFY: "INVENTORY",
}
BUYER_CODES = {Kind.RAKUTEN: "1", Kind.YAHOO: "100", Kind.AMAZON: "BuyerCanceled"}


class Mall(Adapter):
    """Orders as the marketplace holds them. `script` has what the next cancel calls meet.

    An entry is an error to raise; `apply` on it says whether the cancellation took effect all the
    same. "ignore" is taken and does nothing. With an empty script every cancellation works.
    """

    def __init__(self, kind: Kind, clock: HandClock) -> None:
        self.kind = kind
        self.clock = clock
        self.orders: dict[str, OrderSeen] = {}
        self.script: list[tuple[Exception | str, bool]] = []
        self.calls: list[CancelRequest] = []
        self.reference = ""
        self.called = asyncio.Event()
        self.answers = asyncio.Event()
        self.answers.set()
        self.refusal: str | None = None
        self.read_error: Exception | None = None

    @property
    def capabilities(self) -> Capabilities:
        """Nothing that the desk looks at but the closing of listings."""
        return Capabilities(
            kind=self.kind,
            write=Write.ABSOLUTE,
            writes=frozenset({Write.ABSOLUTE}),
            cancels=Cancels.WHOLE,
            push_batch_max=100,
            read_batch_max=100,
            pull_seconds=1,
            pull_seconds_quiet=1,
            pull_endpoint="orders",
            closes_on_out_of_stock=self.kind is Kind.YAHOO,
        )

    @property
    def budgets(self) -> Any:
        """No call of the desk asks for them."""
        raise AssertionError("the desk asked for budgets")

    def _answer(self) -> None:
        """A call takes a little time."""
        self.clock.moment += timedelta(milliseconds=1)
        if self.read_error:
            raise self.read_error

    def change(self, order_ref: str, **changes: Any) -> OrderSeen:
        """The order is another one from now on."""
        self.orders[order_ref] = msgspec.structs.replace(
            self.orders[order_ref], observed_at=self.clock.now(), **changes
        )
        return self.orders[order_ref]

    def end(self, order_ref: str, by: Party | None, reason: str | None = None) -> OrderSeen:
        """Somebody cancels the order."""
        lines = tuple(
            msgspec.structs.replace(line, cancelled=line.quantity - line.shipped)
            for line in self.orders[order_ref].lines
        )
        return self.change(
            order_ref, cancelled=True, cancelled_by=by, cancel_reason=reason, lines=lines
        )

    async def cancel_order(self, request: CancelRequest) -> str:
        """What the script says next; else the order is cancelled by the shop."""
        self.calls.append(request)
        self.clock.moment += timedelta(milliseconds=1)
        self.called.set()
        await self.answers.wait()
        meets, applies = self.script.pop(0) if self.script else ("", True)
        if applies:
            code = (BUYER_CODES if request.reason is Reason.BUYER_REQUEST else CODES)[self.kind]
            self.end(request.order_ref, Party.SELLER, code)
        if isinstance(meets, Exception):
            raise meets
        return self.reference

    async def cancel_state(self, order_ref: str, reference: str) -> CancelState:
        """Only the order's own state confirms. The reference is the one that we gave."""
        self._answer()
        assert reference == self.reference
        if self.orders[order_ref].cancelled:
            return CancelState(confirmed=True)
        return CancelState(refused=self.refusal)

    async def read_order(self, order_ref: str) -> OrderSeen | None:
        """The order as it stands."""
        self._answer()
        if order_ref not in self.orders:
            return None
        return msgspec.structs.replace(self.orders[order_ref], observed_at=self.clock.now())

    async def pull_orders(self, cursor: dict[str, Any], *, seen: Mapping[str, str]) -> Pulled:
        """Not what the desk asks for."""
        raise AssertionError("the desk never asks for this")

    async def push_quantities(self, pushes: Sequence[QuantityPush]) -> list[PushOutcome]:
        """Not what the desk asks for."""
        raise AssertionError("the desk never asks for this")

    async def read_stock(self, channel_skus: Sequence[str]) -> list[Reading]:
        """Not what the desk asks for."""
        raise AssertionError("the desk never asks for this")

    async def aclose(self) -> None:
        """Nothing is open."""
