"""The file formats of malls and tools, as data: columns, encoding, delimiter, quoting. Pure.

What the headings mean is taken from the malls' own help pages and files (RMS item CSV after the SKU
migration; Yahoo! Shopping developer page "アップロードフォーマット", stock CSV; Seller Central help
"Active Listings Report"; Shopify help "inventory CSV"; NextEngine's product master). A shop's own
export may leave columns out or name them otherwise: every column can be given by hand, and those
that no page was found for are named UNCONFIRMED here.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct, structs

from inventory.errors import BadInput


class Field(StrEnum):
    """What a column holds. `item` and `variant` make up the channel SKU where there is no column.

    `by_channel` says who ships a listing. `available` is a number from which open orders are taken
    off already, `on_hand` one that was counted.
    """

    CHANNEL_SKU = "channel_sku"
    ITEM = "item"
    VARIANT = "variant"
    SKU = "sku"
    TITLE = "title"
    ON_HAND = "on_hand"
    AVAILABLE = "available"
    LOCATION = "location"
    BY_CHANNEL = "by_channel"
    SAFETY_STOCK = "safety_stock"
    SAFETY_PERCENT = "safety_percent"
    QUANTITY_MAX = "quantity_max"
    QUANTITY_FLOOR = "quantity_floor"
    PREORDER_UNITS = "preorder_units"
    CLOSED = "closed"


Columns = Mapping[Field, tuple[str, ...]]


class Format(Struct, frozen=True, kw_only=True):
    """One file format. Each field has the headings it may stand under, the best first.

    `writes` are the columns of an export, in order; `joined_by` stands between item and variant;
    `wants_variant`: rows without one tell of the item as a whole and are left out. What stands in
    `by_channel` begins with one of `theirs` where the channel ships, and is one of `ours` where we
    do. A number may be one of `nothing`: not kept there. `quote_all`: every cell is written in
    quotes. Lines end with CR LF.
    """

    name: str
    encoding: str
    delimiter: str = ","
    columns: Columns
    writes: tuple[Field, ...]
    ours: tuple[str, ...] = ("", "false", "0", "no")
    theirs: tuple[str, ...] = ("true", "1", "yes")
    nothing: tuple[str, ...] = ()
    joined_by: str = ""
    wants_variant: bool = False
    lower_item: bool = False
    quote_all: bool = False
    bom: bool = False


HIKIATE = Format(
    name="hikiate",
    encoding="utf-8",
    bom=True,
    columns={
        Field.CHANNEL_SKU: ("channel_sku",),
        Field.SKU: ("sku",),
        Field.TITLE: ("name", "title"),
        Field.ON_HAND: ("on_hand",),
        Field.AVAILABLE: ("available",),
        Field.LOCATION: ("location",),
        Field.BY_CHANNEL: ("fulfilled_by_channel",),
        Field.SAFETY_STOCK: ("safety_stock",),
        Field.SAFETY_PERCENT: ("safety_percent",),
        Field.QUANTITY_MAX: ("quantity_max",),
        Field.QUANTITY_FLOOR: ("quantity_floor",),
        Field.PREORDER_UNITS: ("preorder_units",),
        Field.CLOSED: ("closed",),
    },
    writes=(
        *(Field.CHANNEL_SKU, Field.SKU, Field.LOCATION, Field.ON_HAND, Field.AVAILABLE),
        *(Field.SAFETY_STOCK, Field.SAFETY_PERCENT, Field.QUANTITY_MAX, Field.QUANTITY_FLOOR),
        *(Field.PREORDER_UNITS, Field.CLOSED, Field.BY_CHANNEL),
    ),
)
# normal-item.csv: one row for the item, then one for each of its SKUs. That the manage number of
# the item stands in its SKUs' rows as well is UNCONFIRMED for every kind of download. The variant
# (SKU管理番号) is no code of the shop's own: items of one SKU may all have the same.
RAKUTEN = Format(
    name="rakuten",
    encoding="cp932",
    columns={
        Field.ITEM: ("商品管理番号（商品URL）", "商品管理番号"),
        Field.VARIANT: ("SKU管理番号",),
        Field.SKU: ("システム連携用SKU番号",),
        Field.TITLE: ("商品名",),
        Field.AVAILABLE: ("在庫数",),
    },
    writes=(Field.ITEM, Field.VARIANT, Field.SKU, Field.AVAILABLE),
    joined_by="/",
    wants_variant=True,
    lower_item=True,
    quote_all=True,
)
YAHOO = Format(
    name="yahoo",
    encoding="cp932",
    columns={
        Field.ITEM: ("code",),
        Field.VARIANT: ("sub-code",),
        Field.SKU: ("sub-code", "code"),
        Field.TITLE: ("name",),
        Field.AVAILABLE: ("quantity",),
    },
    writes=(Field.ITEM, Field.VARIANT, Field.AVAILABLE),
    joined_by=":",
)
# The listings report and the inventory loader file. The Japanese headings, and the encoding of
# files that come from Japan, are UNCONFIRMED.
AMAZON = Format(
    name="amazon",
    encoding="cp932",
    delimiter="\t",
    columns={
        Field.CHANNEL_SKU: ("seller-sku", "sku", "出品者SKU"),
        Field.SKU: ("seller-sku", "sku", "出品者SKU"),
        Field.TITLE: ("item-name", "商品名"),
        Field.AVAILABLE: ("quantity", "数量"),
        Field.BY_CHANNEL: ("fulfillment-channel", "フルフィルメント・チャンネル"),
    },
    writes=(Field.CHANNEL_SKU, Field.AVAILABLE),
    ours=("", "default", "merchant", "mfn"),
    theirs=("amazon", "afn"),
)
# One pile under one code, as our SKUs. The headings of its downloads are UNCONFIRMED: their names
# can be chosen there.
NEXTENGINE = Format(
    name="nextengine",
    encoding="cp932",
    columns={
        Field.CHANNEL_SKU: ("商品コード", "syohin_code"),
        Field.SKU: ("商品コード", "syohin_code"),
        Field.TITLE: ("商品名", "syohin_name"),
        Field.ON_HAND: ("在庫数", "zaiko_su"),
    },
    writes=(Field.SKU, Field.ON_HAND),
    quote_all=True,
)
SHOPIFY = Format(
    name="shopify",
    encoding="utf-8",
    columns={
        Field.CHANNEL_SKU: ("SKU", "Variant SKU"),
        Field.SKU: ("SKU", "Variant SKU"),
        Field.TITLE: ("Title",),
        Field.ON_HAND: ("On hand (new)", "On hand (current)", "On hand"),
        Field.AVAILABLE: (
            "Available (not editable)",
            "Available",
            "Variant Inventory Qty",
            "Inventory quantity",
        ),
        Field.LOCATION: ("Location",),
    },
    writes=(Field.CHANNEL_SKU, Field.LOCATION, Field.ON_HAND),
    nothing=("not stocked",),
)
FORMATS: Mapping[str, Format] = {
    each.name: each for each in (HIKIATE, RAKUTEN, YAHOO, AMAZON, NEXTENGINE, SHOPIFY)
}


def format_named(
    name: str, *, columns: Mapping[str, str] | None = None, encoding: str | None = None
) -> Format:
    """The format, with columns (field → heading) and encoding that are not as usual.

    Raises `BadInput` for a format, field or encoding that is not known.
    """
    found = FORMATS.get(name)
    if found is None:
        raise BadInput(f"format must be one of {', '.join(FORMATS)}")
    given: dict[Field, tuple[str, ...]] = {}
    for field, heading in (columns or {}).items():
        if field not in set(Field):
            raise BadInput(f"a column must be one of {', '.join(Field)}, not {field!r}")
        given[Field(field)] = (heading,)
    if encoding is None:
        return structs.replace(found, columns={**found.columns, **given})
    try:
        "".encode(encoding)
    except LookupError:
        raise BadInput(f"no encoding {encoding!r}; utf-8 and cp932 are usual") from None
    return structs.replace(found, columns={**found.columns, **given}, encoding=encoding)


def heading_key(heading: str) -> str:
    """A heading without what people do not see: width, case, spaces at its ends."""
    return unicodedata.normalize("NFKC", heading).strip().casefold()
