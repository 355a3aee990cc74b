"""The decision table of giving an order up: what may be done, for what reason, does it count.

Pure. Keyed by marketplace, the state of the order, who asked for its end, ship notice, fulfilment
and whole or part. What no row lists is refused to a person. A reason is always the true one (L10):
out of stock is sent as out of stock, and a buyer's reason only with what is on record about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import product

from inventory.decision_table import amazon, malls, others, parts
from inventory.decision_table.evidence import Evidence, objection
from inventory.decision_table.words import (
    Action,
    Asker,
    Case,
    Counts,
    Extent,
    Fulfilment,
    Market,
    OrderState,
    Row,
    Rule,
    ShipNotice,
)
from inventory.errors import InventoryError
from inventory.vocabulary import CancelRequest, Kind, Party, Reason

__all__ = [
    "ROWS",
    "TABLE",
    "Action",
    "Asker",
    "Case",
    "Counts",
    "Evidence",
    "Extent",
    "Fulfilment",
    "Market",
    "OrderState",
    "ReasonRefused",
    "Rule",
    "ShipNotice",
    "asker_of",
    "cancel_request",
    "cancels_out_of_stock",
    "case_of",
    "decide",
    "lapsed",
    "order_state",
    "who_asked",
]

# Seller Central help 201722390: Amazon itself cancels 7 days after the ship-by date.
LAPSES_AFTER = timedelta(days=7)


class ReasonRefused(InventoryError):
    """A reason that must not be sent for an order, as it would not be the true one."""

    code = "reason_refused"


# What channels say of an order that a shop has ended, where it is more than "the shop did".
_SHOP_CODES: dict[Kind, dict[str, Asker]] = {
    Kind.RAKUTEN: {"8": Asker.SHOP_OUT_OF_STOCK},
    Kind.YAHOO: {"210": Asker.SHOP_OUT_OF_STOCK, "220": Asker.SHOP_DISCONTINUED},
    Kind.AMAZON: {
        "NoInventory": Asker.SHOP_OUT_OF_STOCK,
        "NO_INVENTORY": Asker.SHOP_OUT_OF_STOCK,
        "ShippingAddressUndeliverable": Asker.SHOP_ADDRESS,
        "SHIPPING_ADDRESS_UNDELIVERABLE": Asker.SHOP_ADDRESS,
        "PRICING_ERROR": Asker.SHOP_PRICE,
    },
    Kind.SHOPIFY: {"INVENTORY": Asker.SHOP_OUT_OF_STOCK},
}
_SCREENED = "170"
_BUYER_CODES = {
    Kind.AMAZON: {"BuyerCanceled", "BUYER_CANCELLED"},
    Kind.RAKUTEN: {"1", "2", "3", "4", "5", "6"},
    Kind.YAHOO: {"100", "110", "120", "130", "140", "150", "160", "170", "180"},
    Kind.SHOPIFY: {"CUSTOMER"},
}

ROWS: tuple[Row, ...] = (
    *amazon.ROWS,
    *malls.RAKUTEN,
    *malls.YAHOO,
    *others.SHOPIFY,
    *others.OWN,
    *parts.ROWS,
    *others.WITHOUT_ADAPTER,
    *others.FORBIDDEN,
)


def _table(rows: Iterable[Row]) -> dict[tuple[Market, Case], Rule]:
    found: dict[tuple[Market, Case], Rule] = {}
    for row in rows:
        parts = (row.states, row.askers, row.notices, row.fulfilments, row.extents)
        for state, asker, notice, fulfilment, extent in product(*parts):
            case = Case(
                state=state,
                asker=asker,
                ship_notice=notice,
                fulfilment=fulfilment,
                extent=extent,
            )
            if found.setdefault((row.market, case), row.rule) != row.rule:
                raise ValueError(f"two rows for {row.market} {case}")
    return found


TABLE = _table(ROWS)
_TO_A_PERSON = Rule(
    action=Action.PERSON,
    task="The table does not know this case: a person decides.",
    source="no row of the table lists this",
)


def case_of(state: OrderState, asker: Asker, *, extent: Extent = Extent.WHOLE) -> Case:
    """The case of an order that the shop ships, as its channel shows it.

    What a channel shows as shipped was told to it, so the ship notice of such an order is sent.
    """
    told = state in {OrderState.SHIPPED, OrderState.PARTLY_SHIPPED}
    notice = ShipNotice.SENT if told else ShipNotice.NOT_SENT
    return Case(state=state, asker=asker, ship_notice=notice, extent=extent)


def decide(market: Kind | Market, case: Case | OrderState, asker: Asker = Asker.UNKNOWN) -> Rule:
    """The rule for a case; what no row lists goes to a person and may count.

    A bare state with its asker stands for `case_of(state, asker)`.
    """
    asked = case if isinstance(case, Case) else case_of(case, asker)
    return TABLE.get((Market(market.value), asked), _TO_A_PERSON)


def cancels_out_of_stock() -> list[Kind]:
    """The kinds that let the shop cancel an open order for want of stock."""
    short = case_of(OrderState.OPEN, Asker.SHOP_OUT_OF_STOCK)
    return [kind for kind in Kind if decide(kind, short).action is Action.CANCEL]


def order_state(
    *, cancelled: bool, cancellable: bool, by_channel: bool, open_units: int, shipped_units: int
) -> OrderState:
    """Where an order stands, from what its channel shows; units over all its lines.

    No channel shows a first window, a screening or a capture so surely that we would rely on it:
    such orders are `open` or `locked`, of which the table knows the stricter.
    """
    if by_channel:
        return OrderState.BY_CHANNEL
    if cancelled:
        return OrderState.CANCELLED
    if shipped_units:
        return OrderState.PARTLY_SHIPPED if open_units else OrderState.SHIPPED
    return OrderState.OPEN if cancellable else OrderState.LOCKED


def lapsed(*, ship_by: datetime | None, ended_at: datetime | None) -> bool:
    """Whether a marketplace's cancellation came so late that it is the one for lying unshipped.

    Seller Central help 201722390. The end is taken as the moment we heard of it.
    """
    return ship_by is not None and ended_at is not None and ended_at >= ship_by + LAPSES_AFTER


def who_asked(
    kind: Kind, by: Party | None, reason_code: str | None, *, buyer_asked: bool, late: bool
) -> Asker:
    """Who was behind a cancellation that has happened, from the channel's own record.

    On Amazon the marketplace's flag decides, not the code that was picked: a buyer's code without
    it is a wish by message only, or none, and counts (Seller Central help 201722390). Yahoo! files
    a payment screening, which is its own, among the buyers' reasons (CancelReason 170).
    """
    if by is Party.BUYER and not (kind is Kind.YAHOO and reason_code == _SCREENED):
        return Asker.BUYER_SELF
    if by in {Party.MARKETPLACE, Party.BUYER}:
        return Asker.MARKETPLACE_LAPSED if late else Asker.MARKETPLACE
    if by is None:
        return Asker.UNKNOWN
    return _of_the_shops_end(kind, reason_code or "", buyer_asked=buyer_asked)


def _of_the_shops_end(kind: Kind, code: str, *, buyer_asked: bool) -> Asker:
    if code in _SHOP_CODES.get(kind, {}):
        return _SHOP_CODES[kind][code]
    if kind is Kind.AMAZON and buyer_asked:
        return Asker.BUYER_REQUEST
    if code in _BUYER_CODES.get(kind, ()):
        return Asker.BUYER_MESSAGE if kind is Kind.AMAZON else Asker.BUYER_REQUEST
    return Asker.SHOP_OTHER


def asker_of(reason: Reason) -> Asker:
    """Whose wish a request of ours is."""
    return {
        Reason.OUT_OF_STOCK: Asker.SHOP_OUT_OF_STOCK,
        Reason.BUYER_REQUEST: Asker.BUYER_REQUEST,
    }[reason]


def cancel_request(
    kind: Kind,
    reason: Reason,
    *,
    order_ref: str,
    line_refs: Sequence[str],
    evidence: Evidence | None = None,
    note: str = "",
) -> CancelRequest:
    """The only place where a request to cancel is made, so that its reason is a true one (L10).

    Raises `ReasonRefused` for a buyer's reason without `evidence` that holds (see `objection`),
    and where the table has no way to cancel, or no code to cancel with.
    """
    if reason is Reason.BUYER_REQUEST:
        against = objection(Market(kind.value), evidence)
        if against is not None:
            raise ReasonRefused(f"{order_ref}: a buyer's reason must not be sent: {against}")
    rule = decide(kind, OrderState.OPEN, asker_of(reason))
    if rule.action is not Action.CANCEL or not rule.reason_code:
        raise ReasonRefused(
            f"{order_ref}: {kind.value} orders cannot be cancelled as {reason.value}"
        )
    return CancelRequest(order_ref=order_ref, line_refs=tuple(line_refs), reason=reason, note=note)
