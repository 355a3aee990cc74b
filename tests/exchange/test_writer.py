"""Files go out in the formats in which they come in, and no spreadsheet executes them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from inventory.catalogue import ListingRow, put_listings
from inventory.db import Database
from inventory.errors import BadInput
from inventory.exchange import writer
from inventory.exchange.formats import (
    AMAZON,
    FORMATS,
    HIKIATE,
    NEXTENGINE,
    RAKUTEN,
    SHOPIFY,
    YAHOO,
    format_named,
)
from inventory.exchange.reader import open_bytes
from inventory.exchange.rows import ListingLine, listings
from inventory.models import Channel
from tests.conftest import Save
from tests.factories import NOON, ChannelFactory, SkuFactory, StockLevelFactory


@pytest.fixture
async def shop(database: Database, save: Save) -> Channel:
    """A shop with three listings: one has a name like a formula, one the channel ships itself."""
    shop = ChannelFactory.build(code="shop")
    mug = SkuFactory.build(code="MUG", name="マグ")
    pen = SkuFactory.build(code="=PEN", name="-1+1")
    await save(shop, mug, pen)
    await save(
        StockLevelFactory.build(sku_id=mug.id, on_hand=10, reserved=3),
        StockLevelFactory.build(sku_id=pen.id, on_hand=0, reserved=2),
    )
    async with database.transaction() as session:
        rows = [
            ListingRow(channel_sku="mug-001/red", sku="MUG", quantity_max=5, closed=True),
            ListingRow(channel_sku="@pen:1", sku="=PEN"),
            ListingRow(channel_sku="theirs", sku="MUG", fulfilled_by_channel=True),
        ]
        await put_listings(session, shop.id, rows, by="mori", now=NOON)
    return shop


async def whole(parts: AsyncIterator[bytes]) -> bytes:
    """All of a file."""
    return b"".join([part async for part in parts])


async def test_listings_in_our_own_format_come_back_as_they_were(
    database: Database, shop: Channel
) -> None:
    data = await whole(writer.listings(database, shop.id, HIKIATE))

    lines = data.decode("utf-8-sig").split("\r\n")
    assert lines[0].startswith("channel_sku,sku,available,safety_stock,")
    assert lines[2].startswith("'@pen:1,'=PEN,")
    [mug, pen, theirs] = list(listings(open_bytes(data, HIKIATE, name="f")))
    assert isinstance(mug, ListingLine)
    assert isinstance(pen, ListingLine)
    assert isinstance(theirs, ListingLine)
    assert (mug.channel_sku, mug.sku) == ("mug-001/red", "MUG")
    assert (pen.channel_sku, pen.sku) == ("@pen:1", "=PEN")
    assert (mug.rules["quantity_max"], mug.rules["closed"]) == (5, True)
    assert (pen.rules["fulfilled_by_channel"], theirs.rules["fulfilled_by_channel"]) == (
        False,
        True,
    )


@pytest.mark.parametrize(
    ("name", "raw", "expected"),
    [
        (
            "rakuten",
            False,
            (
                '"商品管理番号（商品URL）","SKU管理番号","システム連携用SKU番号","在庫数"\r\n'
                '"mug-001","red","MUG",""\r\n"\'@pen:1","","\'=PEN",""\r\n'
            ),
        ),
        ("yahoo", False, "code,sub-code,quantity\r\nmug-001/red,,\r\n'@pen,1,\r\n"),
        ("yahoo", True, "code,sub-code,quantity\r\nmug-001/red,,\r\n@pen,1,\r\n"),
        ("amazon", False, "seller-sku\tquantity\r\nmug-001/red\t\r\n'@pen:1\t\r\n"),
    ],
)
async def test_listings_in_the_malls_formats(
    database: Database, shop: Channel, name: str, raw: bool, expected: str
) -> None:
    data = await whole(writer.listings(database, shop.id, FORMATS[name], raw=raw))

    assert data.decode("cp932") == expected


async def test_stock_by_sku_and_location(database: Database, shop: Channel) -> None:
    ours = await whole(writer.stock(database, HIKIATE))
    theirs = await whole(writer.stock(database, NEXTENGINE))

    assert shop.code == "shop"
    assert ours.decode("utf-8-sig") == (
        "sku,location,on_hand,available\r\nMUG,main,10,7\r\n'=PEN,main,0,-2\r\n"
    )
    assert theirs.decode("cp932") == '"商品コード","在庫数"\r\n"MUG","10"\r\n"\'=PEN","0"\r\n'


async def test_what_a_format_cannot_say_is_refused(
    database: Database, shop: Channel, save: Save
) -> None:
    for format_ in (RAKUTEN, YAHOO):
        with pytest.raises(BadInput, match="names listings and no SKUs"):
            await whole(writer.stock(database, format_))
    with pytest.raises(BadInput, match="no column for a channel's name"):
        await whole(writer.listings(database, shop.id, NEXTENGINE))
    with pytest.raises(BadInput, match="shopify names what lies at a location"):
        await whole(writer.listings(database, shop.id, SHOPIFY))
    sku = SkuFactory.build(code="X", name="x")
    await save(sku)
    async with database.transaction() as session:
        rows = [ListingRow(channel_sku="마그", sku="X")]
        await put_listings(session, shop.id, rows, by="mori", now=NOON)
    with pytest.raises(BadInput, match="'마' is no character of cp932"):
        await whole(writer.listings(database, shop.id, AMAZON))
    assert await whole(writer.listings(database, shop.id, format_named("amazon", encoding="utf-8")))


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-5", "-5"),
        ("-a", "'-a"),
        ("@x", "'@x"),
        ("\tx", "'\tx"),
        ("12", "12"),
        ("", ""),
    ],
)
def test_formulas_are_made_text(cell: str, expected: str) -> None:
    assert writer.escaped(cell) == expected
