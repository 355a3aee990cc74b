"""Reading files of malls and tools: encodings, headings, and bad rows named by line and column."""

from __future__ import annotations

from typing import Any

import pytest

from inventory.errors import BadInput
from inventory.exchange import reader
from inventory.exchange.formats import AMAZON, FORMATS, HIKIATE, RAKUTEN, YAHOO, Field, format_named
from inventory.exchange.reader import BadRow, Row, open_bytes
from inventory.exchange.rows import ListingLine, StockLine, listings, stock


def lines(text: str, name: str = "hikiate", encoding: str | None = None) -> list[Any]:
    """The rows of a file in a format."""
    format_ = FORMATS[name]
    return list(open_bytes(text.encode(encoding or format_.encoding), format_, name="f").rows())


def test_a_rakuten_file_names_its_skus_by_manage_number_and_variant() -> None:
    text = (
        '"コントロールカラム","商品管理番号（商品URL）","商品名","SKU管理番号",'
        '"システム連携用SKU番号","在庫数"\r\n'
        '"u","Mug-001","マグ","","",""\r\n'
        '"u","Mug-001","","mug-red","MUG-RED","12"\r\n'
    )
    table = open_bytes(text.encode("cp932"), RAKUTEN, name="normal-item.csv")

    assert list(listings(table)) == [ListingLine(3, "mug-001/mug-red", "MUG-RED", "マグ", {})]
    assert list(stock(table, Field.AVAILABLE)) == [
        StockLine(3, "MUG-RED", "mug-001/mug-red", "マグ", "", 12)
    ]


def test_a_yahoo_file_names_items_with_and_without_sub_code() -> None:
    text = "code,name,sub-code,quantity,allow-overdraft\r\nmug001,マグ,red,3,0\r\npen,,,５,0\r\n"
    table = open_bytes(text.encode("cp932"), YAHOO, name="quantity.csv")

    assert [(each.channel_sku, each.sku) for each in listings(table)] == [  # type: ignore[union-attr]  # no bad row
        ("mug001:red", "red"),
        ("pen", "pen"),
    ]
    assert [each.number for each in stock(table, Field.AVAILABLE)] == [3, 5]  # type: ignore[union-attr]  # the same


def test_an_amazon_file_says_what_amazon_ships() -> None:
    text = (
        "item-name\tseller-sku\tquantity\tfulfillment-channel\r\n"
        "mug\tMUG-1\t4\tDEFAULT\r\nmug\tMUG-2\t\tAMAZON_JP\r\nmug\tMUG-3\t1\twho?\r\n"
    )
    table = open_bytes(text.encode("cp932"), AMAZON, name="report.txt")

    [ours, theirs, bad] = list(listings(table))
    assert isinstance(ours, ListingLine)
    assert isinstance(theirs, ListingLine)
    assert ours.rules == {"fulfilled_by_channel": False}
    assert theirs.rules == {"fulfilled_by_channel": True}
    assert str(bad) == (
        "line 4, column fulfillment-channel: one of amazon, afn or nothing is wanted, found 'who?'"
    )
    assert [getattr(each, "left_out", None) for each in stock(table, Field.AVAILABLE)] == [
        "",
        "shipped by the channel",
        None,
    ]


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        ("a b/c,X,1", None),
        (",X,1", "line 2, column channel_sku: the channel's name of the listing is missing"),
        ("c,,1", "line 2, column sku: the SKU is missing"),
        ("c,X Y,1", "line 2, column sku: a SKU is up to 200 printable ASCII characters without"),
        ("c,X,many", "line 2, column quantity_max: a whole number from 0 to 1000000 is wanted"),
        ("c,X,-1", "line 2, column quantity_max: a whole number from 0 to 1000000 is wanted"),
        ("c,X,1,2", "line 2: 4 cells under 3 headings"),
        ("c,X,1,", None),
        ("c,X", None),
        ('c,"X"Y,1', "line 2: not a row: ',' expected after '\"'"),
        ("c\x00,X,1", "line 2, column channel_sku: up to 200 printable ASCII characters"),
        ("c," + "X" * 201 + ",1", "line 2, column sku: a SKU is up to 200"),
        ("c," + "X" * 131_073 + ",1", "line 2: a cell has more than 131,072 characters"),
    ],
)
def test_a_bad_row_is_named_by_line_and_column(cells: str, problem: str | None) -> None:
    text = f"channel_sku,sku,quantity_max\n{cells}\nd,Y,2\n"
    table = open_bytes(text.encode(), HIKIATE, name="f.csv")

    [found, after] = list(listings(table))

    assert isinstance(found, BadRow) == (problem is not None)
    if problem is not None:
        assert str(found).startswith(problem)
    # What is wrong in one row does no harm to the next.
    assert after == ListingLine(3, "d", "Y", "", {"quantity_max": 2})


def test_lines_are_counted_through_cells_of_several_lines() -> None:
    text = 'channel_sku,sku,name\r\na,A,"one\r\ntwo"\r\nb,B B,\r\n'

    [first, bad] = list(listings(open_bytes(text.encode(), HIKIATE, name="f")))

    assert first == ListingLine(2, "a", "A", "one two", {})
    assert isinstance(bad, BadRow)
    assert (bad.line, bad.column, bad.value) == (4, "sku", "B B")


@pytest.mark.parametrize(
    ("encoding", "given"),
    [
        ("utf-8-sig", None),
        ("utf-16", None),
        ("utf-8", "utf-8"),
        ("cp932", None),
        ("euc_jp", "euc_jp"),
    ],
)
def test_byte_order_marks_go_before_the_usual_encoding(encoding: str, given: str | None) -> None:
    text = "商品コード,在庫数\r\nMUG,3\r\n"
    format_ = format_named("nextengine", encoding=given)

    [row] = list(open_bytes(text.encode(encoding), format_, name="f").rows())

    assert row == Row(2, {Field.CHANNEL_SKU: "MUG", Field.SKU: "MUG", Field.ON_HAND: "3"})


def test_bytes_of_another_encoding_make_a_bad_row_where_they_matter() -> None:
    data = b"sku,channel_sku,name\nA,a," + b"\xff\nB" + b"\xff,b,\nC,c,\n"

    found = list(listings(open_bytes(data, HIKIATE, name="f")))

    assert [str(each) for each in found if isinstance(each, BadRow)] == [
        "line 2, column name: bytes that are not utf-8",
        "line 3, column sku: bytes that are not utf-8",
    ]
    assert [each.sku for each in found if isinstance(each, ListingLine)] == ["C"]


def test_a_file_of_another_encoding_or_format_says_so_at_once() -> None:
    text = "商品管理番号（商品URL）,SKU管理番号\r\na,b\r\n"
    with pytest.raises(BadInput, match=r"none of the headings of rakuten read as cp932; found .*"):
        open_bytes(text.encode("utf-8"), RAKUTEN, name="f.csv")
    for nothing in (b"", b"\xef\xbb\xbf", b"\r\n"):
        with pytest.raises(BadInput, match=r"f\.csv is empty"):
            open_bytes(nothing, RAKUTEN, name="f.csv")
    for workbook in (b"PK\x03\x04\x14\x00", b"\xd0\xcf\x11\xe0\xa1"):
        with pytest.raises(BadInput, match=r"is a workbook or an archive: save the sheet as CSV"):
            open_bytes(workbook, RAKUTEN, name="f.xlsx")
    with pytest.raises(BadInput, match="the heading 'code' stands there twice"):
        open_bytes(b"code,code\r\n", YAHOO, name="f.csv")


def test_columns_and_encodings_can_be_given() -> None:
    format_ = format_named("rakuten", columns={"sku": "商品番号"}, encoding="utf-8")
    text = "商品管理番号,SKU管理番号,商品番号\r\nmug,red,MUG-RED\r\n"

    [row] = list(listings(open_bytes(text.encode(), format_, name="f")))

    assert row == ListingLine(2, "mug/red", "MUG-RED", "", {})
    with pytest.raises(BadInput, match="a column must be one of channel_sku"):
        format_named("rakuten", columns={"colour": "色"})
    with pytest.raises(BadInput, match="no encoding 'klingon'"):
        format_named("rakuten", encoding="klingon")
    with pytest.raises(BadInput, match="format must be one of hikiate, rakuten"):
        format_named("excel")


def test_what_is_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "ROWS_MAX", 2)
    assert len(lines("sku\nA\nB\n")) == 2
    with pytest.raises(BadInput, match="at most 2 rows"):
        lines("sku\nA\nB\nC\n")


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ('"A,3\nB,4\n', "a quotation mark opens here and never closes"),
        ("A" * 131_073 + ",3\n", "a cell has more than 131,072 characters"),
        ('"A"x,3\n', "not a row: "),
    ],
)
def test_what_is_not_a_row_is_said_in_words(row: str, problem: str) -> None:
    table = open_bytes(f"sku,on_hand\n{row}".encode(), HIKIATE, name="f.csv")

    [bad] = list(table.rows())

    assert isinstance(bad, BadRow)
    assert (bad.line, bad.problem.startswith(problem)) == (2, True)


def test_an_apostrophe_against_formulas_is_taken_off() -> None:
    [row, other] = lines("channel_sku,sku\n'=a,'-B\n'c,D\n")

    assert row.cells == {Field.CHANNEL_SKU: "=a", Field.SKU: "-B"}
    assert other.cells == {Field.CHANNEL_SKU: "'c", Field.SKU: "D"}
