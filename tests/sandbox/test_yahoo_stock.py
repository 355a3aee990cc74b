"""Yahoo! Shopping in the sandbox: tokens, setStock and getStock."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.sandbox.yahoo_store import MUG, TEE, Store, code, open_store, rows


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    async with open_store() as store:
        yield store


async def test_set_stock_sets_and_adds(store: Store) -> None:
    answer = await store.stock("setStock", item_code=f"{MUG},{TEE}", quantity="12,+3")

    assert (answer.status_code, rows(answer)) == (
        200,
        [
            {"ItemCode": "mug", "SubCode": None, "Quantity": "12"},
            {"ItemCode": "tee-001", "SubCode": "m-blk", "Quantity": "6"},
        ],
    )
    assert store.shown == {MUG: 12, TEE: 6}
    assert [(w.key, w.after, w.mode) for w in store.market.writes] == [
        (MUG, 12, "absolute"),
        (TEE, 6, "relative"),
    ]


@pytest.mark.parametrize(
    ("key", "quantity", "fault"),
    [
        (TEE, "33.0", "st-02104"),
        (TEE, "INI", "st-02104"),
        (TEE, "-4", "st-02104"),
        (TEE, "9999999999", "st-02104"),
        ("tee_001", "1", "st-02101"),
        ("a:b:c", "1", "st-02101"),
    ],
)
async def test_a_bad_row_fails_alone_with_207(
    store: Store, key: str, quantity: str, fault: str
) -> None:
    answer = await store.stock("setStock", item_code=f"{MUG},{key}", quantity=f"12,{quantity}")
    assert answer.status_code == 207
    good, bad = rows(answer)
    assert (good["Quantity"], bad["ErrorCode"], "Quantity" in bad) == ("12", fault, False)
    assert store.shown == {MUG: 12, TEE: 3}

    alone = await store.stock("setStock", item_code=key, quantity=quantity)
    assert code(alone) == (400, fault)


@pytest.mark.parametrize(
    ("form", "fault"),
    [
        ({"item_code": f"{MUG},{TEE}", "quantity": "1"}, "st-02105"),
        ({"item_code": f"{MUG},{MUG}", "quantity": "1,1"}, "st-02103"),
        ({"item_code": MUG, "quantity": "1", "allow_overdraft": "1,0"}, "st-02107"),
        ({"item_code": MUG, "quantity": "1", "allow_overdraft": "2"}, "st-02106"),
        ({"item_code": "", "quantity": "1"}, "st-02101"),
        ({"item_code": MUG, "quantity": "1", "seller_id": "other"}, "ed-00004"),
        ({"item_code": MUG, "quantity": "1", "seller_id": ""}, "ed-00003"),
    ],
)
async def test_a_bad_call_fails_whole(store: Store, form: dict[str, str], fault: str) -> None:
    assert code(await store.stock("setStock", **form)) == (400, fault)
    assert store.shown == {MUG: 5, TEE: 3}


async def test_a_call_takes_1000_codes(store: Store) -> None:
    codes = [f"new-{number}" for number in range(1001)]
    too_many = await store.stock(
        "setStock", item_code=",".join(codes), quantity=",".join(["1"] * 1001)
    )
    assert code(too_many) == (400, "st-02102")
    fits = await store.stock(
        "setStock", item_code=",".join(codes[:1000]), quantity=",".join(["1"] * 1000)
    )
    assert (fits.status_code, len(rows(fits))) == (200, 1000)


async def test_get_stock_shows_number_and_closing(store: Store) -> None:
    await store.stock("setStock", item_code="typo:x", quantity="7")
    store.market.listings[TEE].closed = True
    answer = await store.stock("getStock", item_code=f"{MUG},{TEE},typo:x,never")

    found = {row["ItemCode"]: row for row in rows(answer)}
    assert [(name, row["Status"], row.get("Quantity")) for name, row in found.items()] == [
        ("mug", "1", "5"),
        ("tee-001", "1", "3"),
        ("typo", "1", "7"),
        ("never", "0", None),
    ]
    assert (found["mug"]["StockClose"], found["tee-001"]["StockClose"]) == ("0", "1")
    assert "typo:x" not in store.market.listings


async def test_an_access_token_lasts_an_hour_and_consent_four_weeks(store: Store) -> None:
    assert (await store.stock("getStock", item_code=MUG)).status_code == 200
    store.clock.move(3600)
    assert (await store.stock("getStock", item_code=MUG)).status_code == 401
    answer = await store.refresh()
    assert (answer.json()["expires_in"], "refresh_token" in answer.json()) == (3600.0, False)
    assert (await store.stock("getStock", item_code=MUG)).status_code == 200

    store.clock.move(28 * 86_400)
    expired = await store.refresh()
    assert (expired.status_code, expired.json()) == (400, {"error": "invalid_grant"})


async def test_the_token_address_checks_client_and_grant(store: Store) -> None:
    assert (await store.refresh(refresh_token="stolen")).json() == {"error": "invalid_grant"}
    unknown = await store.refresh(grant_type="password")
    assert unknown.json() == {"error": "unsupported_grant_type"}
    store.key["client_secret"] = "guessed"
    stranger = await store.refresh()
    assert (stranger.status_code, stranger.json()) == (401, {"error": "invalid_client"})
    store.token = ""
    assert (await store.stock("getStock", item_code=MUG)).status_code == 401


async def test_each_address_takes_one_call_a_second(store: Store) -> None:
    assert (await store.stock("getStock", item_code=MUG)).status_code == 200
    store.clock.pass_seconds(-1)
    assert (await store.stock("setStock", item_code=MUG, quantity="1")).status_code == 200
    store.clock.pass_seconds(-0.5)
    refused = await store.stock("getStock", item_code=MUG)
    assert refused.status_code == 429
    store.clock.pass_seconds(-0.5)
    assert (await store.stock("getStock", item_code=MUG)).status_code == 429  # still shut
    assert (await store.stock("getStock", item_code=MUG)).status_code == 200
    calls = store.market.books()["calls"]
    assert calls["getStock"] == {"used": 2, "refused": 2, "permitted": 4}
    assert calls["day"]["used"] == 5
