"""Yahoo! Shopping in the sandbox: lines lowered, files, consent and overdraft."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from tests.sandbox.yahoo_store import MUG, TEE, Store, code, open_store, rows, tree

BACK = "https://shop.example/back"
LINES = "LineId,Quantity,OriginalNum,OrderStatus,ShipInvoiceNumber1,ShipStatus,Suspect"


async def test_a_line_is_lowered_and_keeps_what_was_ordered_first() -> None:
    async with open_store() as store:
        order = store.market.place([(MUG, 3), (TEE, 1)])
        assert tree(await store.change(order.ref, ("1", 1))).findtext("Result/Status") == "OK"
        info = await store.info(order.ref, LINES)
        assert [(row.findtext("Quantity"), row.findtext("OriginalNum")) for row in info][-2:] == [
            ("1", "3"),
            ("1", "1"),
        ]
        assert (order.lines[0].cancelled, order.status["IsSeen"]) == (2, True)
        assert store.shown == {MUG: 2, TEE: 2}  # nothing is put back by itself


@pytest.mark.parametrize(
    "lines", [(("9", 1),), (("1", 0),), (("1", 1000),), ((("1", 1)), ("2", 0)), ()]
)
async def test_a_change_that_cannot_be_made_changes_nothing(
    lines: tuple[tuple[str, int], ...],
) -> None:
    async with open_store() as store:
        order = store.market.place([(MUG, 3), (TEE, 1)])
        status, said = code(await store.change(order.ref, *lines))
        assert (status, (said or "")[:2]) == (400, "od")
        assert [line.cancelled for line in order.lines] == [0, 0]


@pytest.mark.parametrize("action", ["hold", "mark-prank"])
async def test_an_order_on_hold_or_a_prank_cannot_be_edited(action: str) -> None:
    async with open_store() as store:
        order = store.market.place([(MUG, 3)])
        store.market.actions[action](order.ref)
        assert (await store.change(order.ref, ("1", 1))).status_code == 400
        assert order.lines[0].cancelled == 0


async def test_what_staff_do_shows_in_the_order() -> None:
    async with open_store() as store:
        order = store.market.place([(MUG, 3)])
        for action in ("look", "begin-shipping", "note-slip", "lower"):
            store.market.actions[action](order.ref)
        info = await store.info(order.ref, LINES)
        assert info.findtext("Ship/ShipStatus") == "2"
        assert info.findtext("Ship/ShipInvoiceNumber1") == f"5000{order.ref[-8:]}"
        assert (info.findtext("Item/Quantity"), order.status["IsSeen"]) == ("2", True)


async def test_the_file_of_stock_rows_is_made_when_asked_for() -> None:
    async with open_store(file_s=5, overdraft=[TEE]) as store:
        query = {"seller_id": store.seller_id, "type": "2"}
        early = await store.call("GET", "downloadSubmit", params=query)
        assert code(early) == (400, "pm-08003")
        assert tree(await store.stock("downloadRequest", type="2")).findtext("Result/Status") == (
            "OK"
        )
        assert code(await store.call("GET", "downloadSubmit", params=query))[1] == "pm-08003"
        store.clock.pass_seconds(5)
        made = await store.call("GET", "downloadSubmit", params=query)
        assert made.content.decode("cp932").splitlines() == [
            "code,name,sub-code,quantity,allow-overdraft,stock-close",
            "mug,見本 mug,,5,0,0",
            "tee-001,見本 tee-001,m-blk,3,1,0",
        ]
        assert code(await store.stock("downloadRequest", type="9"))[0] == 400


async def consent(store: Store, **changes: str) -> httpx.Response:
    """The store's owner consents in a browser."""
    query = {
        "response_type": "code",
        "client_id": store.key["client_id"],
        "redirect_uri": BACK,
        "scope": "openid profile",
        "state": "s1",
        **changes,
    }
    return await store._http.get("/yconnect/v2/authorization", params=query)


async def test_a_new_consent_brings_new_tokens_and_four_weeks() -> None:
    async with open_store() as store:
        store.clock.move(28 * 86_400)
        assert (await store.refresh()).json() == {"error": "invalid_grant"}
        sent_back = await consent(store)
        location = urlsplit(sent_back.headers["location"])
        back = dict(parse_qsl(location.query))
        assert (sent_back.status_code, back["state"]) == (302, "s1")
        given = {"code": back["code"], "redirect_uri": BACK}
        answer = await store.refresh(grant_type="authorization_code", **given)
        store.key["refresh_token"] = answer.json()["refresh_token"]
        assert (await store.refresh()).status_code == 200
        again = await store.refresh(grant_type="authorization_code", **given)
        assert again.json() == {"error": "invalid_grant"}
        assert (await consent(store, scope="profile")).status_code == 400
        assert (await consent(store, client_id="other")).status_code == 400


async def test_where_refresh_tokens_rotate_the_old_one_is_dead() -> None:
    async with open_store(rotates=True) as store:
        first = dict(store.key)["refresh_token"]
        assert (await store.refresh()).json() == {"error": "invalid_grant"}  # used when it opened
        store.key["refresh_token"] = store.market.credentials["refresh_token"]
        assert (await store.refresh()).json()["refresh_token"] != first
        assert store.market.books()["door"]["refreshed"] == 2


async def test_stock_and_tokens_may_want_the_proof_too() -> None:
    async with open_store(stock_needs_proof=True, token_needs_proof=True) as store:
        assert (await store.stock("getStock", item_code=MUG)).status_code == 200
        store.clock.move(12 * 3600 + 1)
        assert (await store.refresh()).json() == {"error": "invalid_grant"}


async def test_a_number_without_the_flag_resets_it() -> None:
    async with open_store(overdraft=[MUG], unread=[TEE]) as store:
        store.market.place([(MUG, 9)])  # more than there is
        await store.stock("setStock", item_code=MUG, quantity="2", allow_overdraft="1")
        assert store.market.listings[MUG].extra["overdraft"] == "1"
        mixed = await store.stock("setStock", item_code=f"{MUG},{TEE}", quantity="1,2")
        assert store.market.listings[MUG].extra["overdraft"] == "0"
        assert (mixed.status_code, rows(mixed)[1]["ErrorCode"]) == (207, "ed-10002")
        assert store.shown == {MUG: 1, TEE: 2}  # written all the same


async def test_order_functions_want_xml() -> None:
    async with open_store() as store:
        headers = {**store.proof(), "Content-Type": "text/plain"}
        answer = await store.order("orderInfo", "<Target/>", headers=headers)
        assert code(answer) == (400, "od91150")
