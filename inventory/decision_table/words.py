"""The words of the decision table: where an order stands, who asked, what may be done. Pure."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

# Who decided what no person decided: never the name under which a buyer's wish is recorded.
NOBODY = frozenset({"desk", "policy", "ledger", "house"})


class Market(StrEnum):
    """Whose rules hold: every kind of channel, and marketplaces that have no adapter yet."""

    RAKUTEN = "rakuten"
    YAHOO = "yahoo"
    AMAZON = "amazon"
    SHOPIFY = "shopify"
    ECCUBE = "eccube"
    OWN_STORE = "own_store"
    HOUSE = "house"
    AU_PAY = "au_pay"
    QOO10 = "qoo10"
    MERCARI_SHOPS = "mercari_shops"


class OrderState(StrEnum):
    """Where an order stands.

    `just_placed`: within the marketplace's first window (Amazon 5 minutes, Yahoo! 10, Rakuten 30,
    Qoo10 6 hours). `unpaid`: open, and no money has been taken. `locked`: the channel accepts no
    cancellation by the shop just now (Amazon while payment is pending, Rakuten in 400).
    `screened`: the marketplace itself suspects the order. `by_channel`: the channel ships it.
    """

    JUST_PLACED = "just_placed"
    UNPAID = "unpaid"
    OPEN = "open"
    LOCKED = "locked"
    SCREENED = "screened"
    PARTLY_SHIPPED = "partly_shipped"
    SHIPPED = "shipped"
    CANCELLED = "cancelled"
    BY_CHANNEL = "by_channel"


class Asker(StrEnum):
    """Who asked for the order's end, and why.

    `buyer_self` is the buyer's own button. `buyer_request` is a request that the shop carries out
    and that L10 knows: Amazon's own flag, or a message recorded by a person. `buyer_first` is the
    same where stock is short as well, and the request came before our word of it.
    `buyer_message` is a wish that Amazon shows no flag for. `marketplace_lapsed` is the
    marketplace's end of an order that the shop let lie. The four from `shop_via_buyer` on are what
    a shop might be tempted to do and never may: have the buyer file the request, call it the
    buyer's wish, send a ship notice without a shipment, let the order lie until it lapses.
    """

    SHOP_OUT_OF_STOCK = "shop_out_of_stock"
    SHOP_DISCONTINUED = "shop_discontinued"
    SHOP_ADDRESS = "shop_address"
    SHOP_BUYER_SILENT = "shop_buyer_silent"
    SHOP_PRICE = "shop_price"
    SHOP_OTHER = "shop_other"
    BUYER_SELF = "buyer_self"
    BUYER_REQUEST = "buyer_request"
    BUYER_FIRST = "buyer_first"
    BUYER_MESSAGE = "buyer_message"
    MARKETPLACE = "marketplace"
    MARKETPLACE_LAPSED = "marketplace_lapsed"
    UNKNOWN = "unknown"
    SHOP_VIA_BUYER = "shop_via_buyer"
    SHOP_AS_BUYER = "shop_as_buyer"
    SHOP_SHIP_NOTICE = "shop_ship_notice"
    SHOP_LETS_LAPSE = "shop_lets_lapse"


class ShipNotice(StrEnum):
    """Whether the marketplace has been told that the order was shipped."""

    NOT_SENT = "not_sent"
    SENT = "sent"


class Fulfilment(StrEnum):
    """Who ships: the shop, or the channel itself (Amazon's FBA)."""

    SHOP = "shop"
    CHANNEL = "channel"


class Extent(StrEnum):
    """Whether the whole of an order would end, or only some of its lines or units."""

    WHOLE = "whole"
    PART = "part"


class Action(StrEnum):
    """What is permitted. Only `cancel` is ever done by the desk; the rest is told to a person.

    `adjust`: ship what there is, then adjust the rest. `edit_lines`: with the buyer's consent,
    take lines out. `ship_notice`: confirm a hand-over that has happened. `repay`: do not ship,
    give the money back. `returned`: by the marketplace's own way of returns. `person`: ask one.
    """

    CANCEL = "cancel"
    ADJUST = "adjust"
    EDIT_LINES = "edit_lines"
    SHIP_NOTICE = "ship_notice"
    REPAY = "repay"
    RETURNED = "returned"
    WAIT = "wait"
    NOTHING = "nothing"
    PERSON = "person"
    FORBIDDEN = "forbidden"


class Counts(StrEnum):
    """Whether a cancellation counts against the marketplace's metric."""

    YES = "yes"
    NO = "no"
    UNCONFIRMED = "unconfirmed"


class Case(Struct, frozen=True, kw_only=True):
    """What the table is asked about."""

    state: OrderState
    asker: Asker
    ship_notice: ShipNotice = ShipNotice.NOT_SENT
    fulfilment: Fulfilment = Fulfilment.SHOP
    extent: Extent = Extent.WHOLE


class Rule(Struct, frozen=True, kw_only=True):
    """What holds for a case. `source` names the marketplace's page, and what is UNCONFIRMED.

    `weighs`: our metric is computed with it, because it counts or because it may count and the
    shop caused it (the worst case is shown). `other_codes` are permitted too, where one of them is
    the true one. `task` says in a sentence what is to be done.
    """

    action: Action
    reason_code: str = ""
    other_codes: tuple[str, ...] = ()
    counts: Counts = Counts.UNCONFIRMED
    weighs: bool = False
    task: str = ""
    source: str = ""


class Row(Struct, frozen=True, kw_only=True):
    """One row of the table: a rule, and all the cases that it holds for."""

    market: Market
    states: tuple[OrderState, ...]
    askers: tuple[Asker, ...]
    rule: Rule
    notices: tuple[ShipNotice, ...] = (ShipNotice.NOT_SENT,)
    fulfilments: tuple[Fulfilment, ...] = (Fulfilment.SHOP,)
    extents: tuple[Extent, ...] = (Extent.WHOLE,)


EITHER_NOTICE, EITHER_EXTENT = tuple(ShipNotice), tuple(Extent)
EITHER_FULFILMENT, EVERY_STATE = tuple(Fulfilment), tuple(OrderState)
# Orders that nobody has shipped and that the marketplace lets the shop work on.
OPEN_STATES = (OrderState.JUST_PLACED, OrderState.UNPAID, OrderState.OPEN)
NEVER_ASKERS = (
    Asker.SHOP_VIA_BUYER,
    Asker.SHOP_AS_BUYER,
    Asker.SHOP_SHIP_NOTICE,
    Asker.SHOP_LETS_LAPSE,
)
HONEST_ASKERS = tuple(asker for asker in Asker if asker not in NEVER_ASKERS)
BUYERS = (Asker.BUYER_SELF, Asker.BUYER_REQUEST, Asker.BUYER_FIRST, Asker.BUYER_MESSAGE)
SHOPS = (
    Asker.SHOP_OUT_OF_STOCK,
    Asker.SHOP_DISCONTINUED,
    Asker.SHOP_ADDRESS,
    Asker.SHOP_BUYER_SILENT,
    Asker.SHOP_PRICE,
    Asker.SHOP_OTHER,
)
