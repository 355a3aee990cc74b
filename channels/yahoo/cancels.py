"""Giving up an order at Yahoo!, whole or in part, behind a guard that Yahoo! itself lacks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from channels.base import ChannelError, Rejected
from channels.keep import Keep
from channels.yahoo import mapping
from channels.yahoo.client import YahooClient
from channels.yahoo.settings import YahooSettings
from inventory.vocabulary import CancelRequest, CancelState, OrderLine, OrderSeen

Read = Callable[[str], Awaitable[OrderSeen | None]]
WHOLE = ""
# The same part of the same order asked for within this time is the same request, sent again.
SAME_REQUEST = timedelta(hours=24)


class Part(Struct, frozen=True, kw_only=True):
    """A part of an order being given up: what was asked when, and the units that are left then.

    It is kept before it is sent, so that the same request sent again asks for the same units
    left and not for fewer still.
    """

    at: datetime
    asked: tuple[tuple[str, int], ...]
    left: tuple[tuple[str, int], ...]


class Cancellations:
    """The cancellations of one store. `read` reads one order as it stands now."""

    def __init__(
        self,
        client: YahooClient,
        settings: YahooSettings,
        keep: Keep,
        *,
        read: Read,
        now: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._settings = settings
        self._keep = keep
        self._read = read
        self._now = now

    async def submit(self, request: CancelRequest) -> str:
        """Give up what is asked; returns "" for a whole order, the units left for a part of it.

        Yahoo! cancels a shipped order without a word (orderStatusChange), so the order is read
        right before: it must be open, not on its way, without slip number and ship date, and no
        prank. It is read again right after. Raises `Rejected`, also where it was sent out in
        between: a person must look.
        """
        order = await self._read(request.order_ref)
        if order is None:
            raise Rejected(f"orderStatusChange: no order {request.order_ref}")
        if order.cancelled:
            return WHOLE
        if not order.cancellable:
            raise Rejected(f"orderStatusChange: {_state(order)}, sent or not open")
        part = await self._part(order, request)
        if part is not None and _is_left(order, part.left):
            return _reference(part)
        if part is None:
            await self._cancel(order, request)
        else:
            await self._lower(order, part)
        try:
            after = await self._read(order.order_ref)
        except ChannelError:
            after = None  # it is submitted; its state is read later
        if after is not None and mapping.is_on_its_way(after.hint):
            raise Rejected(f"{_state(after)}: sent out while it was given up, a person must look")
        return WHOLE if part is None else _reference(part)

    async def state(self, order_ref: str, reference: str) -> CancelState:
        """Cancelled when the order itself says so: OrderStatus 4, or no more units than asked."""
        order = await self._read(order_ref)
        if order is None:
            return CancelState(refused="no such order")
        pending = await self._pending(order_ref)
        left = _left(reference) or (pending.left if pending else ())
        if order.cancelled or (left and _is_left(order, left)):
            return CancelState(confirmed=True)
        return CancelState() if order.cancellable else CancelState(refused=_state(order))

    async def _part(self, order: OrderSeen, request: CancelRequest) -> Part | None:
        """What shall be left of the lines; None for the whole order."""
        if not request.units:
            return None
        pending = await self._pending(order.order_ref)
        now = self._now()
        if pending and pending.asked == request.units and now - pending.at < SAME_REQUEST:
            return pending
        left = _units_left(order, request)
        if not any(left.values()):
            return None
        named = tuple((ref, left[ref]) for ref, _ in request.units)
        return Part(at=now, asked=request.units, left=named)

    async def _cancel(self, order: OrderSeen, request: CancelRequest) -> None:
        if await self._pending(order.order_ref) is not None:
            await self._keep.put(_name(order.order_ref), "")  # now it is the whole that counts
        await self._client.cancel(
            order.order_ref,
            reason=mapping.REASON_CODES[request.reason],
            point_fix=self._settings.is_point_fix,
        )

    async def _lower(self, order: OrderSeen, part: Part) -> None:
        """Lower lines by orderChange, which takes no orders on hold (store manual)."""
        if mapping.is_held(order.hint):
            raise Rejected("orderChange: an order on hold cannot be changed")
        if not self._settings.line_to_zero and not all(units for _, units in part.left):
            raise Rejected(
                "orderChange: whether a line may go to 0 is not confirmed (setting line_to_zero)"
            )
        await self._keep.put(_name(order.order_ref), msgspec.json.encode(part).decode())
        await self._client.change_lines(order.order_ref, part.left)

    async def _pending(self, order_ref: str) -> Part | None:
        text = await self._keep.get(_name(order_ref))
        return msgspec.json.decode(text, type=Part) if text else None


def _units_left(order: OrderSeen, request: CancelRequest) -> dict[str, int]:
    left = {line.line_ref: _units(line) for line in order.lines}
    for line_ref, units in request.units:
        if not 0 < units <= left.get(line_ref, 0):
            raise Rejected(f"orderChange: line {line_ref} has not {units} units to give up")
        left[line_ref] -= units
    return left


def _is_left(order: OrderSeen, left: tuple[tuple[str, int], ...]) -> bool:
    present: Mapping[str, int] = {line.line_ref: _units(line) for line in order.lines}
    return all(present.get(line_ref, 0) <= units for line_ref, units in left)


def _units(line: OrderLine) -> int:
    return line.quantity - line.cancelled


def _reference(part: Part) -> str:
    return ",".join(f"{line_ref}={units}" for line_ref, units in part.left)


def _left(reference: str) -> tuple[tuple[str, int], ...]:
    pairs = [pair.partition("=") for pair in reference.split(",") if pair]
    return tuple((line_ref, int(units)) for line_ref, _, units in pairs)


def _state(order: OrderSeen) -> str:
    return order.hint.partition("@")[0]


def _name(order_ref: str) -> str:
    return f"yahoo.part:{order_ref}"
