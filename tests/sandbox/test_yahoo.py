"""Yahoo! Shopping in the sandbox: the order functions, and the proof by public key."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from channels.sandbox.market import NotAllowed
from tests.sandbox.yahoo_store import MUG, TEE, Store, code, open_store, rows, tree

FIELDS = "OrderId,OrderStatus,ShipStatus,PayStatus"
EVENING = "<OrderTimeFrom>20261204200000</OrderTimeFrom><OrderTimeTo>20261204235959</OrderTimeTo>"


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    async with open_store() as store:
        yield store


def search(condition: str = EVENING, *, fields: str = FIELDS, more: str = "") -> str:
    """A Search element."""
    return f"<Search>{more}<Condition>{condition}</Condition><Field>{fields}</Field></Search>"


async def test_order_list_shows_orders_of_a_time_without_lines(store: Store) -> None:
    first, second = store.market.place([(MUG, 1)]), store.market.place([(TEE, 2)])
    store.market.ship(second.ref)

    found = tree(await store.order("orderList", search()))
    assert (found.tag, found.findtext("Search/TotalCount")) == ("Result", "2")
    assert [{child.tag: child.text for child in row} for row in found.iter("OrderInfo")] == [
        {
            "Index": str(index),
            "OrderId": order.ref,
            "OrderStatus": "2",
            "ShipStatus": ship,
            "PayStatus": "1",
        }
        for index, order, ship in ((1, first, "1"), (2, second, "3"))
    ]
    shipped = tree(await store.order("orderList", search(f"{EVENING}<ShipStatus>3</ShipStatus>")))
    assert [row.text for row in shipped.iter("OrderId")] == [second.ref]
    one = tree(await store.order("orderList", search(f"<OrderId>{first.ref}</OrderId>")))
    assert one.findtext("Search/TotalCount") == "1"
    none = tree(await store.order("orderList", search("<OrderId>none-1</OrderId>")))
    assert none.findtext("Search/TotalCount") == "0"


async def test_order_list_pages_and_sorts(store: Store) -> None:
    store.market.list_item("sock", 50)
    refs = [store.market.place([("sock", 1)]).ref for _ in range(12)]

    first = tree(await store.order("orderList", search()))
    assert [row.text for row in first.iter("OrderId")] == refs[:10]
    more = "<Result>5</Result><Start>6</Start><Sort>-order_time</Sort>"
    found = tree(await store.order("orderList", search(more=more)))
    assert [row.text for row in found.iter("OrderId")] == refs[::-1][5:10]
    assert [row.text for row in found.iter("Index")] == ["6", "7", "8", "9", "10"]


@pytest.mark.parametrize(
    "body",
    [
        search("<OrderStatus>2</OrderStatus>"),
        search("<OrderTimeFrom>2026-12-04</OrderTimeFrom>"),
        search(fields="OrderId,BillMailAddress"),
        search(more="<Result>101</Result>"),
        search(more="<Start>0</Start>"),
        "<Search><Field>OrderId</Field></Search>",
        "<Nothing/>",
        "<Search",
    ],
)
async def test_order_list_refuses_what_it_does_not_know(store: Store, body: str) -> None:
    status, said = code(await store.order("orderList", body))
    assert (status, (said or "")[:2]) == (400, "od")


async def test_order_info_shows_what_was_asked_for_and_no_buyer(store: Store) -> None:
    order = store.market.place([(TEE, 2), (MUG, 1)])
    info = await store.info(
        order.ref, "OrderId,OrderTime,ShipStatus,LineId,ItemId,SubCode,Quantity,UnitPrice"
    )
    assert info.findtext("OrderTime") == "2026-12-04T20:00:00+09:00"
    assert info.findtext("Ship/ShipStatus") == "1"
    fields = ("LineId", "ItemId", "SubCode", "Quantity", "UnitPrice")
    assert [tuple(item.findtext(field) for field in fields) for item in info.iter("Item")] == [
        ("1", "tee-001", "m-blk", "2", "1000"),
        ("2", "mug", "", "1", "1200"),
    ]
    assert info.find("BillLastName") is None
    named = await store.info(order.ref, "OrderId,BillLastName")
    assert (named.findtext("BillLastName"), named.find("Item")) == ("見本", None)

    late = store.market.place([(MUG, 1)], store.clock.now() + timedelta(seconds=0.5))
    target = f"<Target><OrderId>{late.ref}</OrderId><Field>OrderId</Field></Target>"
    assert code(await store.order("orderInfo", target))[0] == 400  # not visible yet


async def test_order_count_counts_unseen_orders(store: Store) -> None:
    first = store.market.place([(MUG, 1)])
    store.market.place([(MUG, 1)])
    await store.cancel(first.ref, status="3", reason="")
    answer = await store.call(
        "GET", "orderCount", params={"sellerId": store.seller_id}, headers=store.proof()
    )
    [count] = list(tree(answer).iter("Count"))
    assert {child.tag: child.text for child in count} == {
        "NewOrder": "1",
        "NewReserve": "0",
        "Holding": "1",
    }


async def test_cancel_for_out_of_stock_closes_the_items_and_gives_nothing_back(
    store: Store,
) -> None:
    order = store.market.place([(MUG, 2), (TEE, 1)])
    answer = await store.cancel(order.ref)

    assert tree(answer).findtext("Result/Status") == "OK"
    assert (order.state, order.cancelled_by, order.cancel_code) == ("cancelled", "seller", "210")
    assert store.shown == {MUG: 3, TEE: 2}
    stock = await store.stock("getStock", item_code=f"{MUG},{TEE}")
    assert [row["StockClose"] for row in rows(stock)] == ["1", "1"]
    # A number does not open a closed item again.
    await store.stock("setStock", item_code=MUG, quantity="9")
    assert (store.market.listings[MUG].closed, store.market.listings[MUG].buyable) == (True, 0)
    info = await store.info(order.ref, "OrderStatus,CancelReason")
    assert (info.findtext("OrderStatus"), info.findtext("CancelReason")) == ("4", "210")


async def test_other_reasons_leave_the_items_open(store: Store) -> None:
    first, second = store.market.place([(MUG, 1)]), store.market.place([(MUG, 1)])
    await store.cancel(first.ref, reason="100")
    await store.cancel(second.ref, reason="")
    assert (first.cancelled_by, second.cancel_code) == ("buyer", "230")
    assert store.market.listings[MUG].closed is False


async def test_nothing_about_shipping_blocks_a_cancel_but_cancelled_is_for_ever(
    store: Store,
) -> None:
    order = store.market.place([(MUG, 1)])
    store.market.ship(order.ref)
    assert (await store.cancel(order.ref, reason="110")).status_code == 200
    again = await store.cancel(order.ref, status="2", reason="")
    assert (code(again)[0], order.cancel_code) == (400, "110")


@pytest.mark.parametrize(("status", "reason"), [("4", "999"), ("9", ""), ("5", "")])
async def test_an_impossible_move_changes_nothing(store: Store, status: str, reason: str) -> None:
    order = store.market.place([(MUG, 1)])
    answer = await store.cancel(order.ref, status=status, reason=reason)
    assert (answer.status_code, order.state, order.status["OrderStatus"]) == (400, "live", 2)


async def test_a_prank_order_cannot_be_moved(store: Store) -> None:
    order = store.market.place([(MUG, 1)])
    order.status["Suspect"] = 1
    assert (await store.cancel(order.ref)).status_code == 400
    assert order.state == "live"


async def test_a_failing_proof_still_gets_200_for_twelve_hours(store: Store) -> None:
    good = await store.order("orderList", search())
    assert good.headers["x-sws-authorize-status"] == "authorized"

    wrong = [
        {},
        {**store.proof(), "X-sws-signature-version": "2"},
        {**store.proof(), "X-sws-signature": "bm9ib2R5"},
        store.proof(f"other-store:{int(time.time())}"),
        store.proof(f"{store.seller_id}:{int(time.time()) - 600}"),
    ]
    for headers in wrong:
        answer = await store.order("orderList", search(), headers=headers)
        assert (answer.status_code, answer.headers["x-sws-authorize-status"]) == (
            200,
            "unauthorized",
        )
    store.clock.move(12 * 3600 + 1)
    await store.refresh()
    assert code(await store.order("orderList", search(), headers={})) == (401, "px-04102")
    assert (await store.order("orderList", search())).status_code == 200


async def test_another_seller_is_refused(store: Store) -> None:
    body = f"<Req>{search()}<SellerId>somebody</SellerId></Req>"
    answer = await store.call("POST", "orderList", content=body, headers=store.proof())
    assert code(answer) == (400, "px-14304")


async def test_an_entity_bomb_is_not_opened(store: Store) -> None:
    body = '<!DOCTYPE r [<!ENTITY a "aaaa">]><Req>&a;</Req>'
    answer = await store.call("POST", "orderList", content=body, headers=store.proof())
    assert answer.status_code == 400


async def test_buyers_cancel_within_ten_minutes(store: Store) -> None:
    early, late = store.market.place([(MUG, 1)]), store.market.place([(MUG, 1)])
    store.clock.pass_seconds(600)
    store.market.buyer_cancel(early.ref)
    store.clock.pass_seconds(1)
    with pytest.raises(NotAllowed):
        store.market.buyer_cancel(late.ref)
    assert (early.cancel_code, late.state, store.shown[MUG]) == ("100", "live", 3)
