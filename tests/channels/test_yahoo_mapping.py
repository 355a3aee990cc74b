"""Yahoo!'s orders and answers in our words, from composed XML."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import defusedxml.ElementTree
import httpx
import msgspec
import pytest

from channels.base import (
    AuthExpired,
    BadAnswer,
    ChannelError,
    OutcomeUnknown,
    Rejected,
    RetryLater,
)
from channels.yahoo import xml
from channels.yahoo.mapping import (
    INFO_FIELDS,
    LIST_FIELDS,
    MalformedOrder,
    StockRow,
    is_code,
    is_held,
    is_on_its_way,
    listed_from,
    moment,
    order_from,
    ordered_at_of,
    seen_from,
    state_of,
    stock_rows,
)
from inventory.vocabulary import OrderLine, OrderSeen, Party

NOON = datetime(2026, 2, 1, 3, 0, tzinfo=UTC)
JST = timezone(timedelta(hours=9))
ITEM = (
    "<Item><LineId>1</LineId><ItemId>tee-001</ItemId><SubCode>m-blk</SubCode>"
    "<Quantity>2</Quantity><UnitPrice>1980</UnitPrice></Item>"
)


def seen(
    status: str = "2", ship: str = "1", *, more: str = "", ships: str = "", items: str = ITEM
) -> OrderSeen:
    text = f"""<OrderInfo><OrderId>my-store-10000001</OrderId>
      <OrderTime>2026-02-01T00:12:03+09:00</OrderTime><OrderStatus>{status}</OrderStatus>{more}
      <Pay><PayStatus>1</PayStatus></Pay><Ship><ShipStatus>{ship}</ShipStatus>{ships}</Ship>
      {items}</OrderInfo>"""
    return order_from(defusedxml.ElementTree.fromstring(text), observed_at=NOON)


def test_an_order_in_hand() -> None:
    found = seen()
    assert found.lines == (
        OrderLine(line_ref="1", channel_sku="tee-001:m-blk", quantity=2, unit_price=1980),
    )
    assert (found.order_ref, found.ordered_at, found.observed_at) == (
        "my-store-10000001",
        datetime(2026, 2, 1, 0, 12, 3, tzinfo=JST),
        NOON,
    )
    assert (found.hint, found.cancelled, found.cancellable) == (
        "live:2.1.1@20260201001203",
        False,
        True,
    )


def test_list_and_order_have_the_same_hint() -> None:
    row = defusedxml.ElementTree.fromstring(
        "<OrderInfo><Index>1</Index><OrderId>my-store-10000001</OrderId>"
        "<OrderTime>20260201001203</OrderTime><OrderStatus>2</OrderStatus>"
        "<PayStatus>1</PayStatus><ShipStatus>1</ShipStatus></OrderInfo>"
    )
    assert listed_from(row).hint == seen().hint
    assert ordered_at_of(seen().hint) == seen().ordered_at
    assert ordered_at_of("live:odd") is None


@pytest.mark.parametrize(
    ("status", "ship", "state", "cancellable", "shipped", "cancelled"),
    [
        ("1", "0", "live", True, 0, 0),
        ("3", "1", "live", True, 0, 0),
        ("2", "2", "live", False, 0, 0),
        ("2", "3", "shipped", False, 2, 0),
        ("2", "4", "shipped", False, 2, 0),
        ("5", "1", "shipped", False, 2, 0),
        ("4", "1", "cancelled", False, 0, 2),
        ("4", "3", "cancelled", False, 2, 0),
    ],
)
def test_what_each_state_means(
    status: str, ship: str, state: str, cancellable: bool, shipped: int, cancelled: int
) -> None:
    found = seen(status, ship)
    assert (state_of(found.hint), found.cancellable) == (state, cancellable)
    assert (found.lines[0].shipped, found.lines[0].cancelled) == (shipped, cancelled)
    assert found.cancelled is (status == "4")


@pytest.mark.parametrize(
    ("status", "first", "ordered", "cancelled", "shipped"),
    [
        (("2", "1"), "3", 3, 1, 0),
        (("2", "3"), "3", 3, 1, 2),
        (("4", "1"), "3", 3, 3, 0),
        (("2", "1"), "1", 2, 0, 0),  # the store has raised the line
        (("2", "1"), "", 2, 0, 0),
    ],
)
def test_units_taken_off_a_line_are_cancelled_ones(
    status: tuple[str, str], first: str, ordered: int, cancelled: int, shipped: int
) -> None:
    item = ITEM.replace("<UnitPrice>", f"<OriginalNum>{first}</OriginalNum><UnitPrice>")
    [line] = seen(*status, items=item).lines
    assert (line.quantity, line.cancelled, line.shipped) == (ordered, cancelled, shipped)


def test_a_hint_says_whether_an_order_is_held_or_on_its_way() -> None:
    assert [is_held(seen(status).hint) for status in ("1", "2", "3")] == [False, False, True]
    ways = {ship: is_on_its_way(seen("2", ship).hint) for ship in ("0", "1", "2", "3", "4")}
    assert ways == {"0": False, "1": False, "2": True, "3": True, "4": True}


def test_an_order_of_a_list_has_its_end_and_no_lines() -> None:
    def listed(status: str, ship: str) -> OrderSeen:
        row = defusedxml.ElementTree.fromstring(
            "<OrderInfo><OrderId>o-1</OrderId><OrderTime>20260201001203</OrderTime>"
            f"<OrderStatus>{status}</OrderStatus><ShipStatus>{ship}</ShipStatus></OrderInfo>"
        )
        return seen_from(listed_from(row), observed_at=NOON)

    assert (listed("4", "1").cancelled, listed("4", "1").lines) == (True, ())
    assert (listed("2", "1").cancellable, listed("2", "2").cancellable) == (True, False)


def test_rows_of_stock_answers() -> None:
    root = defusedxml.ElementTree.fromstring(
        "<ResultSet><Result><ItemCode>a</ItemCode><SubCode>b</SubCode><Status>1</Status>"
        "<Quantity>-2</Quantity><AllowOverdraft>1</AllowOverdraft><StockClose>1</StockClose>"
        "</Result><Result><ItemCode>c</ItemCode><Status>0</Status></Result>"
        "<Result><ItemCode>d</ItemCode><ErrorCode>st-02104</ErrorCode></Result>"
        "<Result><ItemCode>e</ItemCode><Status>1</Status><Quantity/></Result></ResultSet>"
    )
    assert stock_rows(root) == {
        "a:b": StockRow(quantity=-2, closed=True, known=True, overdraft="1"),
        "c": StockRow(quantity=None, known=False),
        "d": StockRow(quantity=None, code="st-02104", known=True),
        "e": StockRow(quantity=None, known=True),
    }


@pytest.mark.parametrize(
    ("ships", "more"),
    [
        ("<ShipInvoiceNumber1>5000</ShipInvoiceNumber1>", ""),
        ("<ShipDate>2026-02-01</ShipDate>", ""),
        ("", "<Suspect>1</Suspect>"),
    ],
)
def test_a_parcel_or_a_prank_blocks_the_cancel(ships: str, more: str) -> None:
    assert seen(ships=ships, more=more).cancellable is False
    assert seen(more="<Suspect>0</Suspect>", ships="<ShipDate></ShipDate>").cancellable is True


@pytest.mark.parametrize(
    ("reason", "party"),
    [("100", Party.BUYER), ("210", Party.SELLER), ("400", Party.MARKETPLACE), ("", None)],
)
def test_who_cancelled_and_why(reason: str, party: Party | None) -> None:
    found = seen("4", more=f"<CancelReason>{reason}</CancelReason>")
    assert (found.cancelled_by, found.cancel_reason) == (party, reason or None)
    live = seen("2", more=f"<CancelReason>{reason}</CancelReason>")
    assert (live.cancelled_by, live.cancel_reason) == (None, None)


def test_several_lines_with_and_without_sub_code() -> None:
    more = "<Item><LineId>2</LineId><ItemId>mug</ItemId><SubCode/><Quantity>1</Quantity></Item>"
    assert [(line.channel_sku, line.unit_price) for line in seen(items=ITEM + more).lines] == [
        ("tee-001:m-blk", 1980),
        ("mug", None),
    ]


@pytest.mark.parametrize(
    "items",
    ["", ITEM + ITEM, ITEM.replace(">2<", ">-2<"), ITEM.replace("tee-001", ""), "<Item/>"],
)
def test_a_malformed_order_is_named_as_such(items: str) -> None:
    with pytest.raises(MalformedOrder):
        seen(items=items)


def test_an_unknown_state_or_time_is_malformed() -> None:
    with pytest.raises(MalformedOrder):
        seen("9")
    for wrong in ("", "yesterday", "20261301000000"):
        with pytest.raises(MalformedOrder):
            moment(wrong)
    assert moment("2026-02-01T00:12:03") == datetime(2026, 2, 1, 0, 12, 3, tzinfo=JST)


def test_only_fields_without_buyers_data_are_asked_for() -> None:
    asked = {*INFO_FIELDS.split(","), *LIST_FIELDS.split(",")}
    assert not [field for field in asked if field.startswith(("Bill", "ShipFirst", "ShipLast"))]
    assert {field for field in asked if field.startswith("Ship")} == {
        "ShipStatus",
        "ShipInvoiceNumber1",
        "ShipDate",
    }


def test_codes_are_item_or_item_and_sub() -> None:
    for good in ("mug", "tee-001:m-blk", "a" * 99):
        assert is_code(good)
    for wrong in ("", "tee_1", "a:b:c", "a:", ":b", "a" * 100, "ティー"):
        assert not is_code(wrong)


def test_requests_are_escaped() -> None:
    body = xml.request({"Target": {"OrderId": "a<b&c"}, "SellerId": "s"})
    assert body.endswith(
        b"<Req><Target><OrderId>a&lt;b&amp;c</OrderId></Target><SellerId>s</SellerId></Req>"
    )


def test_an_element_may_be_there_several_times() -> None:
    body = xml.request({"Order": {"Item": [{"LineId": "1"}, {"LineId": "2"}]}})
    assert body.endswith(
        b"<Order><Item><LineId>1</LineId></Item><Item><LineId>2</LineId></Item></Order></Req>"
    )


@pytest.mark.parametrize(
    ("status", "body", "writes", "error"),
    [
        (200, "<Error><Code>px-04102</Code></Error>", False, AuthExpired),
        (400, '{"Error":{"Message":["…"],"Code":["px-04001"]}}', False, AuthExpired),
        (400, "<Error><Code>ed-00002</Code></Error>", True, RetryLater),
        (400, "<Error><Code>ed-00001</Code></Error>", True, OutcomeUnknown),
        (400, "<Error><Code>ed-00001</Code></Error>", False, RetryLater),
        (400, "<Error><Code>od90191</Code></Error>", True, Rejected),
        (400, "<html>", True, Rejected),
        (200, "<html>", True, OutcomeUnknown),
        (200, "<html>", False, BadAnswer),
        (200, '<!DOCTYPE r [<!ENTITY a "b">]><ResultSet>&a;</ResultSet>', False, BadAnswer),
    ],
)
def test_errors_say_who_must_act(
    status: int, body: str, writes: bool, error: type[ChannelError]
) -> None:
    with pytest.raises(error) as caught:
        xml.answer(httpx.Response(status, text=body), name="orderInfo", writes=writes)
    assert type(caught.value) is error


def test_name_spaces_are_ignored() -> None:
    text = '<ResultSet xmlns="urn:yahoo:jp:x"><Result><Status>OK</Status></Result></ResultSet>'
    root = xml.answer(httpx.Response(200, text=text), name="orderInfo")
    assert root.findtext("Result/Status") == "OK"
    assert msgspec.json.encode(root.tag) == b'"ResultSet"'
