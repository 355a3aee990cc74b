"""What a Rakuten shop has on sale, by what codes it knows it, and what sells without stock."""

from __future__ import annotations

from typing import Any

from channels.base import Discovered, Rejected
from channels.rakuten.client import FIRST_MARK, RakutenClient
from channels.rakuten.wire import Item, Variant
from inventory.vocabulary import Danger, ListingSeen

# items.search gives 100; an item may have 400 SKUs and its answer half a megabyte.
ITEMS_PER_PAGE = 30
READ_ROWS_MAX = 1000
MARK_CHARS_MAX = 10_000

UNLIMITED = "在庫設定なし (unlimitedInventoryFlag): it sells without end, whatever its number is"
BACK_ORDER = "在庫切れ時の注文受付 (backOrderFlag): it sells on at 0"


async def discover(client: RakutenClient, cursor: dict[str, Any]) -> Discovered:
    """The next listings, each SKU of an item one; their numbers are read by bulk-get.

    An item registered less than a day ago may be missing (items.search). Raises `Rejected` for a
    cursor that is not ours.
    """
    mark = cursor.get("mark", FIRST_MARK)
    if not isinstance(mark, str) or not 1 <= len(mark) <= MARK_CHARS_MAX:
        raise Rejected("discover: not a cursor of ours")
    answer = await client.search_items(mark, hits=ITEMS_PER_PAGE)
    items = [result.item for result in answer.results if result.item is not None]
    # A deleted item is still found for a day, by its manage number alone.
    keys = [
        (item.manage_number.lower(), variant) for item in items for variant in item.variants or {}
    ]
    shown: dict[tuple[str, str], int] = {}
    for start in range(0, len(keys), READ_ROWS_MAX):
        shown |= await client.bulk_get(keys[start : start + READ_ROWS_MAX])
    following = answer.next_cursor_mark
    ended = not answer.results or following is None or following == mark
    return Discovered(
        listings=tuple(
            listing_from(item, name, variant, shown)
            for item in items
            for name, variant in (item.variants or {}).items()
        ),
        cursor=None if ended else {"mark": following},
    )


def listing_from(
    item: Item, name: str, variant: Variant, shown: dict[tuple[str, str], int]
) -> ListingSeen:
    """One SKU of an item. `shown` are the numbers that bulk-get gave.

    Codes: システム連携用SKU番号, then, where the item has no other SKU, 商品番号 and 商品管理番号.
    """
    manage = item.manage_number.lower()
    channel_sku = f"{manage}/{name}"
    codes = [variant.merchant_defined_sku_id]
    if len(item.variants or {}) == 1:
        codes += [item.item_number, manage]
    unlimited = item.unlimited_inventory_flag is True
    return ListingSeen(
        channel_sku=channel_sku,
        codes=tuple(dict.fromkeys(code.strip() for code in codes if code and code.strip())),
        title=_title(item, variant),
        quantity=None if unlimited else shown.get((manage, name)),
        closed=item.hide_item is True or variant.hidden is True,
        dangers=_dangers(channel_sku, unlimited=unlimited, variant=variant),
    )


def _dangers(channel_sku: str, *, unlimited: bool, variant: Variant) -> tuple[Danger, ...]:
    found = []
    if unlimited:
        found.append(Danger(code="unlimited_stock", detail=UNLIMITED, channel_sku=channel_sku))
    if variant.back_order_flag is True:
        found.append(Danger(code="back_order", detail=BACK_ORDER, channel_sku=channel_sku))
    return tuple(found)


def _title(item: Item, variant: Variant) -> str:
    choices = ", ".join((variant.selector_values or {}).values())
    title = item.title or item.manage_number
    return f"{title} ({choices})" if choices else title
