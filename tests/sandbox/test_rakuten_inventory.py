"""Rakuten Ichiba in the sandbox: RMS InventoryAPI, and the gateway in front of it."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.sandbox.rakuten_shop import MUG, TEE, Shop, open_shop, row


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with open_shop() as shop:
        yield shop


async def test_bulk_upsert_sets_and_adds(shop: Shop) -> None:
    answer = await shop.upsert(row(MUG, 12), row("TEE-001/M", -1, "RELATIVE"))

    assert (answer.status_code, answer.content) == (204, b"")
    assert shop.shown == {MUG: 12, TEE: 2}
    assert [(w.key, w.before, w.after, w.mode) for w in shop.market.writes] == [
        (MUG, 5, 12, "absolute"),
        (TEE, 3, 2, "relative"),
    ]


@pytest.mark.parametrize(
    ("bad", "code", "field"),
    [
        (row(TEE, -4, "RELATIVE"), "IE0117", "quantity"),
        (row(TEE, 100_000), "IE0003", "quantity"),
        (row(TEE, "3"), "IE0002", "quantity"),
        (row(TEE, 3.0), "IE0002", "quantity"),
        (row("cap/1", 1, "RELATIVE"), "IE0500", "quantity"),
        (row(TEE, 1, "SET"), "IE0002", "mode"),
        (row(TEE, 1, operationLeadTime={}), "IE0002", "operationLeadTime"),
        (row("t" * 33 + "/M", 1), "IE0004", "manageNumber"),
        (row("t e/M", 1), "IE0002", "manageNumber"),
        (row("MUG/blue", 1), "IE1102", "variantId"),
        ({"manageNumber": "tee-001", "mode": "ABSOLUTE", "quantity": 1}, "IE0001", "variantId"),
    ],
)
async def test_one_bad_row_refuses_the_whole_bulk(
    shop: Shop, bad: dict[str, Any], code: str, field: str
) -> None:
    answer = await shop.upsert(row(MUG, 12), bad)

    assert answer.status_code == 400
    [error] = answer.json()["errors"]
    assert (error["code"], error["metadata"]) == (
        code,
        {"propertyPath": f"inventories[1].{field}"},
    )
    assert shop.shown == {MUG: 5, TEE: 3}


async def test_the_other_reading_of_bulk_writes_the_good_rows() -> None:
    async with open_shop(bulk_atomic=False, names_rows=False) as shop:
        answer = await shop.upsert(row(MUG, 12), row(TEE, -4, "RELATIVE"))

        [error] = answer.json()["errors"]
        assert (answer.status_code, error["code"], error["metadata"]) == (400, "IE0117", {})
        assert shop.shown == {MUG: 12, TEE: 3}


async def test_bulk_upsert_takes_400_rows(shop: Shop) -> None:
    rows = [row(f"new-{number}/x", 1) for number in range(401)]
    too_many = await shop.upsert(*rows)
    assert (too_many.status_code, too_many.json()["errors"][0]["code"]) == (400, "IE1101")
    assert (await shop.upsert(*rows[:400])).status_code == 204
    empty = await shop.call("POST", "/2.0/inventories/bulk-upsert", [])
    assert empty.json()["errors"][0]["code"] == "GE0011"


async def test_a_number_for_an_unknown_sku_is_accepted_and_forgotten_in_a_day(shop: Shop) -> None:
    assert (await shop.upsert(row("typo/M", 7))).status_code == 204
    assert "typo/M" not in shop.market.listings

    wanted = {"inventories": [row("typo/M", 0), row(MUG, 0), row("never/M", 0)]}
    found = await shop.call("POST", "/2.0/inventories/bulk-get", wanted)
    assert [
        (r["manageNumber"], r["variantId"], r["quantity"]) for r in found.json()["inventories"]
    ] == [("typo", "M", 7), ("mug", "blue", 5)]
    assert found.json()["inventories"][0]["updated"] == "2026-12-04T20:00:01+09:00"

    shop.clock.move(86_500)
    found = await shop.call("POST", "/2.0/inventories/bulk-get", wanted)
    assert [r["manageNumber"] for r in found.json()["inventories"]] == ["mug"]


async def test_single_sku_functions(shop: Shop) -> None:
    path = "/2.1/inventories/manage-numbers/mug/variants/blue"
    body = {"mode": "ABSOLUTE", "quantity": 8, "shipFromIds": [1]}
    assert (await shop.call("PUT", path, body)).status_code == 204
    assert (await shop.call("GET", path)).json()["quantity"] == 8
    missing = await shop.call("GET", "/2.0/inventories/manage-numbers/mug/variants/red")
    assert (missing.status_code, missing.json()["errors"][0]["code"]) == (404, "GE0014")
    assert (await shop.call("DELETE", path)).status_code == 204
    assert shop.shown[MUG] == 0
    few = await shop.call("GET", "/2.0/inventories/bulk-get/range?minQuantity=1&maxQuantity=9")
    assert [r["manageNumber"] for r in few.json()["inventories"]] == ["tee-001"]
    variants = await shop.call("GET", "/2.1/inventories/variant-lists/manage-numbers/TEE-001")
    assert variants.json()["variantList"] == [{"variantId": "M"}]


async def test_the_gateway_checks_key_and_media_type(shop: Shop) -> None:
    body = {"orderNumberList": ["1"], "version": 7}
    wrong = {"authorization": "ESA " + base64.b64encode(b"a:b").decode()}
    for headers in (wrong, {}, {"authorization": shop.headers["authorization"][4:]}):
        answer = await shop.call("POST", "/2.0/order/getOrder/", body, headers=headers)
        assert (answer.status_code, answer.json()["Results"]["errorCode"]) == (401, "ES04-01")
    plain = {**shop.headers, "content-type": "text/plain"}
    answer = await shop.call("POST", "/2.0/order/getOrder/", body, headers=plain)
    assert (answer.status_code, answer.json()["Results"]["errorCode"]) == (415, "ES04-03")
