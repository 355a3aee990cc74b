"""Rakuten's order models: in full (getOrder), and without the buyer (getOrderItem)."""

from __future__ import annotations

from typing import Any

from channels.sandbox.market import Line, Order
from channels.sandbox.rakuten_market import CANCELLED, JST, RakutenMarket, plain_jst

SKU_VERSION = 7
CUSTOMER_REASONS = frozenset({1, 2, 3, 4, 5, 6})
SHOP_REASONS = frozenset({8, 10, 13, 14, 15})


def full_order(market: RakutenMarket, order: Order, version: int) -> dict[str, Any]:
    """OrderModel of getOrder. Every real one has the buyer in it; a client leaves that behind."""
    progress = market.progress(order)
    return {
        **_head(order, progress),
        "cancelDueDate": plain_jst(order.cancelled_at) if order.cancelled_at else None,
        "modifyFlag": 0,
        "cautionDisplayType": 0,
        "rakutenConfirmFlag": 0,
        "OrdererModel": {"familyName": "見本", "firstName": "花子", "zipCode1": "000"},
        "PackageModelList": [
            {
                "basketId": _basket(order),
                "SenderModel": {"familyName": "見本", "firstName": "太郎", "city": "見本市"},
                "ShippingModelList": _parcels(order),
                "ItemModelList": [
                    {
                        **_full_item(market, line, version),
                        "deleteItemFlag": int(_is_deleted(order, line)),
                    }
                    for line in order.lines
                ],
            }
        ],
        "ChangeReasonModelList": _reasons(order, progress),
    }


def lean_order(market: RakutenMarket, order: Order) -> dict[str, Any]:
    """OrderModel of getOrderItem: no names, no parcels, no deleted lines, not who cancelled."""
    return {
        **_head(order, market.progress(order)),
        "OrdererModel": {"prefecture": "東京都"},
        "PackageModelList": [
            {
                "basketId": _basket(order),
                "defaultDeliveryCompanyCode": "1001",
                "ItemModelList": [
                    {**_item(line), "SkuModelList": _skus(market, line)}
                    for line in order.lines
                    if market.rules.shows_deleted_lines or not _is_deleted(order, line)
                ],
            }
        ],
    }


def _head(order: Order, progress: int) -> dict[str, Any]:
    return {
        "orderNumber": order.ref,
        "orderProgress": progress,
        "subStatusId": None,
        "orderDatetime": plain_jst(order.placed_at),
        "shippingCmplRptDatetime": plain_jst(order.shipped_at) if order.shipped_at else None,
        "orderType": 1,
        "totalPrice": sum(line.price * line.quantity for line in order.lines),
    }


def _basket(order: Order) -> int:
    return int(order.lines[0].line_ref.partition("/")[0])


def _parcels(order: Order) -> list[dict[str, Any]]:
    if order.shipped_at is None and "parcel" not in order.extra:
        return []
    shipped_at = order.shipped_at
    return [
        {
            "shippingDetailId": 900_000 + int(order.ref[-6:]),
            "shippingNumber": order.extra.get("parcel", f"4000-{order.ref[-6:]}"),
            "deliveryCompany": "1001",
            "shippingDate": shipped_at and shipped_at.astimezone(JST).date().isoformat(),
        }
    ]


def _is_deleted(order: Order, line: Line) -> bool:
    return order.cancelled_at is None and line.cancelled > 0


def _full_item(market: RakutenMarket, line: Line, version: int) -> dict[str, Any]:
    item = {**_item(line), "restoreInventoryFlag": 0}
    if version >= SKU_VERSION:
        item["SkuModelList"] = _skus(market, line)
    return item


def _item(line: Line) -> dict[str, Any]:
    manage = line.key.partition("/")[0]
    detail = int(line.line_ref.partition("/")[2])
    return {
        "itemDetailId": detail,
        "itemId": 10_000_000 + detail,
        "itemNumber": manage.upper(),
        "manageNumber": manage,
        "itemName": manage,
        "price": line.price,
        "units": line.quantity,
        "inventoryType": 2,
    }


def _skus(market: RakutenMarket, line: Line) -> list[dict[str, Any]]:
    variant = line.key.partition("/")[2]
    code = market.merchant_sku(line.key)
    return [{"variantId": variant, "merchantDefinedSkuId": code, "skuInfo": None}]


def _reasons(order: Order, progress: int) -> list[dict[str, Any]] | None:
    if order.cancelled_at is None:
        return None
    reason = int(order.cancel_code or 0)
    return [
        {
            "changeId": 1,
            "changeType": 2 if progress == CANCELLED else 0,
            "changeReason": int(reason in CUSTOMER_REASONS),
            "changeReasonDetail": reason,
            "changeApplyDatetime": plain_jst(order.cancelled_at),
        }
    ]
