"""Files go in: all of it or the rows that can be used, as asked, and never around the ledger."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import structs
from sqlalchemy import select

from inventory.catalogue import ListingRow, NewSku, create_sku, put_listings
from inventory.errors import BadInput
from inventory.exchange import imported
from inventory.exchange.formats import RAKUTEN, SHOPIFY, YAHOO, Field
from inventory.facts import HOUSE_CHANNEL_ID, StockReceived
from inventory.kits import Part, put_parts
from inventory.models import Listing, Sku, StaleSku, StockMovement
from tests.conftest import HandClock
from tests.exchange.desk import COUNTED, COUNTING, CREATE, SKIP, Desk
from tests.factories import NOON, line, order_seen


async def test_listings_are_added_changed_and_left(house: Desk) -> None:
    first = await house.listings("channel_sku,sku,quantity_max\na,MUG,5\nb,PEN,\n")
    again = await house.listings("channel_sku,sku\na,MUG\nb,TEE\nc,PEN\n")

    assert (first.rows, first.created, first.changed, first.unchanged) == (2, 2, 0, 0)
    assert (again.created, again.changed, again.unchanged) == (1, 1, 1)
    assert await house.listed() == {"a": "MUG", "b": "TEE", "c": "PEN"}
    async with house.database.sessions() as session:
        # A column that the file does not have stays as it is.
        assert (
            await session.scalar(select(Listing.quantity_max).where(Listing.channel_sku == "a"))
            == 5
        )
        # The numbers of both the old and the new SKU of a listing change.
        stale = await session.scalars(select(Sku.code).join(StaleSku, StaleSku.sku_id == Sku.id))
        assert set(stale) == {"MUG", "PEN", "TEE"}
    assert house.told[-1] == ("listings", 3, 3)


async def test_a_bad_row_keeps_all_out_or_only_itself(house: Desk) -> None:
    text = "channel_sku,sku\na,MUG\nb,CAP\n,PEN\na,PEN\nc,TEE\n"

    stopped = await house.listings(text)

    assert (stopped.stopped, stopped.bad_rows, stopped.created) == (True, 3, 0)
    assert [str(bad) for bad in stopped.bad] == [
        "line 3, column sku: there is no such SKU, found 'CAP'",
        "line 4, column channel_sku: the channel's name of the listing is missing",
        "line 5, column channel_sku: the listing stands in line 2 already, found 'a'",
    ]
    assert await house.listed() == {}

    skipped = await house.listings(text, manner=SKIP)

    assert (skipped.stopped, skipped.bad_rows, skipped.created) == (False, 3, 2)
    assert await house.listed() == {"a": "MUG", "c": "TEE"}


async def test_skus_are_added_when_asked(house: Desk) -> None:
    text = (
        "商品管理番号（商品URL）,商品名,SKU管理番号,システム連携用SKU番号\r\n"
        "cap,帽子,,\r\ncap,,red,CAP-RED\r\nmug,マグ,,\r\nmug,,x,MUG\r\n"
    )

    done = await house.listings(text, RAKUTEN, CREATE)

    assert (done.skus_created, done.created, done.bad_rows) == (1, 2, 0)
    assert await house.listed() == {"cap/red": "CAP-RED", "mug/x": "MUG"}
    async with house.database.sessions() as session:
        # The item's row alone has a title.
        assert await session.scalar(select(Sku.name).where(Sku.code == "CAP-RED")) == "帽子"


async def test_a_kit_is_not_sold_ahead_of_supply(house: Desk) -> None:
    async with house.database.transaction() as session:
        await create_sku(session, NewSku(code="SET"), by="mori", now=NOON)
    await kit_of(house)

    done = await house.listings("channel_sku,sku,preorder_units\na,SET,3\n")

    [bad] = done.bad
    assert (bad.column, bad.problem) == (
        "preorder_units",
        "a kit cannot be sold ahead of supply",
    )


async def kit_of(house: Desk) -> None:
    """SET is a MUG and a PEN."""
    async with house.database.transaction() as session:
        parts = [Part(sku="MUG", quantity=1), Part(sku="PEN", quantity=1)]
        await put_parts(session, "SET", parts, by="mori", now=NOON)


async def test_a_file_without_the_columns_needed_says_which(house: Desk) -> None:
    with pytest.raises(BadInput, match=r"no column システム連携用SKU番号: give --column sku="):
        await house.listings("商品管理番号,SKU管理番号\r\na,b\r\n", RAKUTEN)
    with pytest.raises(BadInput, match="no column on_hand or available"):
        await house.stock("sku\nMUG\n")


async def test_every_number_is_a_count_of_its_moment(house: Desk) -> None:
    done = await house.stock("sku,on_hand\nMUG,120\nPEN,0\n")

    assert (done.created, done.changed, done.bad_rows) == (2, 0, 0)
    assert await house.levels() == {"MUG": (120, 0), "PEN": (0, 0)}
    async with house.database.sessions() as session:
        for move in await session.scalars(select(StockMovement)):
            assert (move.kind, move.reason, move.occurred_at) == ("adjust", "count: count", COUNTED)
    assert house.told[-1] == ("counts", 2, 2)

    # Told again, nothing changes; a later count of other numbers is one like any other.
    again = await house.stock("sku,on_hand\nMUG,120\nPEN,0\n")
    assert (again.created, again.changed, again.unchanged, again.bad_rows) == (0, 0, 2, 0)
    later = structs.replace(COUNTING, name="later", counted_at=NOON)
    done = await house.stock("sku,on_hand\nMUG,118\nPEN,300\n", counting=later)

    assert (done.created, done.changed, done.recounts, done.far) == (0, 1, 1, ["PEN"])
    assert await house.levels() == {"MUG": (118, 0), "PEN": (0, 0)}


async def test_what_was_received_before_is_compared_with_the_book(house: Desk) -> None:
    received = StockReceived(
        channel_id=HOUSE_CHANNEL_ID, fact_ref="r", occurred_at=COUNTED, sku="MUG", quantity=10
    )
    await house.ledger.apply([received])

    done = await house.stock("sku,on_hand\nMUG,500\n")

    assert (done.changed, done.recounts, done.far) == (0, 1, ["MUG"])
    assert await house.levels() == {"MUG": (10, 0)}


async def test_a_number_less_open_orders_is_what_lies_on_the_shelf(house: Desk) -> None:
    async with house.database.transaction() as session:
        rows = [ListingRow(channel_sku="mug:red", sku="MUG")]
        await put_listings(session, house.shop.id, rows, by="mori", now=NOON)
    before = order_seen(lines=(line("mug:red", 3),), ordered_at=COUNTED - timedelta(hours=1))
    # The number of that moment knows nothing of it: its units are still on the shelf, and promised.
    after = order_seen("o-2", lines=(line("mug:red", 2),), ordered_at=NOON)
    await house.inbox.receive_orders(house.shop.id, [before, after])
    await house.inbox.handle()
    counting = structs.replace(COUNTING, channel_id=house.shop.id)

    done = await house.stock("code,sub-code,quantity\r\nmug,red,7\r\n", YAHOO, counting=counting)

    assert (done.created, done.bad_rows) == (1, 0)
    assert await house.levels() == {"MUG": (10, 5)}


async def test_bad_numbers_are_named(house: Desk) -> None:
    later = structs.replace(COUNTING, name="later", counted_at=NOON)
    await house.stock("sku,on_hand\nTEE,5\n", counting=later)
    text = (
        "sku,on_hand,location\nMUG,1,\nMUG,2,\nPEN,,\nPEN,-1,\nPEN,1,nowhere\nCAP,1,\n,3,\nTEE,4,\n"
    )

    done = await house.stock(text)

    assert done.stopped
    assert sorted(str(bad) for bad in done.bad) == [
        "line 3, column sku: line 2 says 1, this one 2, found 'MUG'",
        "line 4, column on_hand: the number is missing",
        "line 5, column on_hand: fewer units than none would lie on the shelf, found '-1'",
        "line 6, column location: there is no such location, found 'nowhere'",
        "line 7, column sku: there is no such SKU, found 'CAP'",
        "line 8, column sku: the row names no SKU, and no listing of the channel is mapped to one",
        "line 9, column on_hand: TEE was counted later already, found '4'",
    ]
    assert await house.levels() == {"TEE": (5, 0)}

    assert (await house.stock(text, manner=SKIP)).created == 1
    assert (await house.levels())["MUG"] == (1, 0)


async def test_a_location_asked_for_that_is_not_there_is_one_error(house: Desk) -> None:
    for wrong in ({"location": "osaka"}, {"places": {"Tokyo": "osaka"}}):
        counting = structs.replace(COUNTING, **wrong)
        with pytest.raises(BadInput, match=r"there is no location 'osaka'; there are .*main"):
            await house.stock("sku,on_hand\nMUG,1\n", counting=counting)
    assert await house.levels() == {}


async def test_the_bad_rows_shown_are_the_first_of_the_file(
    house: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inventory.exchange.imported.BAD_ROWS_SHOWN", 2)

    done = await house.stock("sku,on_hand\nCAP,1\nMUG,1\nCAP,2\nMUG,many\n")

    # What is wrong in itself is found before what is not in the book.
    assert (done.bad_rows, [bad.line for bad in done.bad]) == (3, [2, 4])


async def test_what_is_none_of_ours_is_left_out(house: Desk) -> None:
    async with house.database.transaction() as session:
        await create_sku(session, NewSku(code="SET"), by="mori", now=NOON)
        rows = [ListingRow(channel_sku="FBA", sku="TEE", fulfilled_by_channel=True)]
        await put_listings(session, house.shop.id, rows, by="mori", now=NOON)
    await kit_of(house)
    counting = structs.replace(
        COUNTING, channel_id=house.shop.id, places={"Tokyo": "main"}, quantity=Field.ON_HAND
    )
    text = (
        "SKU,Location,On hand (current),Available (not editable)\r\n"
        "MUG,Tokyo,4,2\r\nPEN,Tokyo,Not stocked,\r\nSET,Tokyo,9,9\r\nFBA,Tokyo,9,9\r\n"
    )

    done = await house.stock(text, SHOPIFY, counting=counting)

    assert done.left_out == {
        "not kept there": 1,
        "shipped by the channel": 1,
        "kits: their parts are counted": 1,
    }
    assert await house.levels() == {"MUG": (4, 0)}


async def test_chunks_make_no_difference(house: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("imported", "listings_in", "stock_in"):
        monkeypatch.setattr(f"inventory.exchange.{module}.CHUNK", 2)
    monkeypatch.setattr("inventory.exchange.counting.FACTS_MAX", 2)
    assert imported.CHUNK == 2
    listings = "channel_sku,sku\n" + "".join(f"a{n},S{n}\n" for n in range(5))
    stock = "sku,on_hand\n" + "".join(f"S{n},{n}\n" for n in range(5))

    done = await house.listings(listings, manner=CREATE)
    counted = await house.stock(stock)

    assert (done.skus_created, done.created, counted.created) == (5, 5, 5)
    assert await house.listed() == {f"a{n}": f"S{n}" for n in range(5)}
    assert await house.levels() == {f"S{n}": (n, 0) for n in range(5)}


async def test_a_count_by_somebody_else_meanwhile_is_one_of_several(
    house: Desk, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply, told = house.ledger.apply, 0

    async def rival(facts: Any, **given: Any) -> Any:
        """Somebody counts the MUG just before our first call arrives."""
        nonlocal told
        told += 1
        if told == 1:
            earlier = structs.replace(
                facts[0], fact_ref="theirs", occurred_at=COUNTED - timedelta(hours=1), on_hand=9
            )
            await apply([earlier])
        return await apply(facts, **given)

    monkeypatch.setattr(house.ledger, "apply", rival)

    done = await house.stock("sku,on_hand\nMUG,8\n")

    assert (done.bad_rows, done.created) == (0, 1)
    assert await house.levels() == {"MUG": (8, 0)}
    assert clock.now() == datetime(2026, 11, 21, 12, tzinfo=UTC)
