"""What Rakuten's answers mean: three shapes of errors, errors beside data, unreadable bodies."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from channels.base import AuthExpired, BadAnswer, OutcomeUnknown, Rejected, RetryLater
from channels.rakuten.adapter import RakutenAdapter
from channels.rakuten.answers import RowsRefused, error_of, refusal, row_errors
from channels.rakuten.client import RakutenClient
from tests.channels.rakuten_shop import Shop
from tests.channels.sandbox_process import SandboxProcess

GATEWAY = {"Results": {"errorCode": "ES04-01", "message": "Un-Authorised"}}
ROWS = {"errors": [{"code": "GE0014", "metadata": {"propertyPath": "manageNumber"}}]}
ORDERS = {"MessageModelList": [{"messageType": "ERROR", "messageCode": "X_ERROR_009"}]}


@pytest.mark.parametrize(
    ("body", "error", "said"),
    [
        (GATEWAY, AuthExpired, "f: 400 ES04-01"),
        (ROWS, Rejected, "f: 400 GE0014"),
        (ORDERS, Rejected, "f: 400 X_ERROR_009"),
        ({"Results": {"errorCode": "ES04-03"}}, Rejected, "f: 400 ES04-03"),
        ({"other": 1}, Rejected, "f: 400 no code"),
    ],
)
def test_each_shape_of_an_error_says_its_code(
    body: dict[str, Any], error: type[Exception], said: str
) -> None:
    found = refusal("f", httpx.Response(400, json=body))
    assert (type(found), str(found)) == (error, said)


def test_an_error_without_a_shape_is_still_an_error() -> None:
    page = httpx.Response(400, content="<html>混雑</html>".encode("cp932"))
    assert error_of(page).results is None
    assert str(refusal("f", page)) == "f: 400 no code"


def rows_of(*errors: dict[str, Any], status: int = 400) -> Exception:
    return row_errors("f", httpx.Response(status, json={"errors": list(errors)}), rows=3)


@pytest.mark.parametrize(
    ("path", "rows"),
    [
        ("inventories[2].quantity", {2: "IE0003"}),
        ("inventories.2.quantity", {2: "IE0003"}),
        ("$.inventories[0]", {0: "IE0003"}),
        ("inventories[3].quantity", {}),
        ("quantity", {}),
        ("", {}),
    ],
)
def test_rows_are_named_as_far_as_the_answer_does(path: str, rows: dict[int, str]) -> None:
    found = rows_of({"code": "IE0003", "metadata": {"propertyPath": path}})
    assert isinstance(found, RowsRefused)
    assert (found.rows, found.codes) == (rows, ["IE0003"])


@pytest.mark.parametrize(
    ("errors", "status", "error"),
    [
        ([{"code": "IE1105"}], 400, Rejected),
        ([{"code": "IE0003"}, {"code": "IE1101"}], 400, Rejected),
        ([{"code": "CE0001"}], 409, RetryLater),
        ([], 400, Rejected),
        ([{"code": "GE0014"}], 404, Rejected),
    ],
)
def test_what_is_not_about_rows_is_about_the_call(
    errors: list[dict[str, Any]], status: int, error: type[Exception]
) -> None:
    assert type(rows_of(*errors, status=status)) is error


@pytest.fixture
async def client(
    start_sandbox: Callable[..., SandboxProcess], redis: Redis
) -> AsyncIterator[RakutenClient]:
    shop = Shop(start_sandbox(), redis)
    assert isinstance(shop.adapter, RakutenAdapter)
    yield shop.adapter._client
    await shop.adapter.aclose()


def answering(client: RakutenClient, **answer: Any) -> None:
    """Have every call answered with this."""

    async def send(*_: object, **__: object) -> httpx.Response:
        return httpx.Response(200, **answer)

    http: Any = client._http
    http.send = send


async def test_an_error_beside_data_takes_nothing_from_the_other_orders(
    client: RakutenClient,
) -> None:
    error = {"messageType": "ERROR", "messageCode": "X_ERROR_1", "orderNumber": "2"}
    answering(client, json={"MessageModelList": [error], "OrderModelList": [{"orderNumber": "1"}]})
    [raw] = await client.get_orders(["1", "2"])
    assert b'"1"' in bytes(raw)
    answering(client, json={"MessageModelList": [error], "OrderModelList": []})
    with pytest.raises(Rejected, match="X_ERROR_1"):
        await client.get_order_items(["2"])


async def test_a_search_with_an_error_is_none(client: RakutenClient) -> None:
    answering(client, json={**ORDERS, "orderNumberList": ["1"]})
    end = datetime.now(UTC)
    with pytest.raises(Rejected, match="X_ERROR_009"):
        await client.search_page(end - timedelta(days=1), end, (), page=1, amount=30)


@pytest.mark.parametrize("answer", [{"content": b"{"}, {"json": {}}, {"content": b"\x82\xa0"}])
async def test_a_cancel_whose_answer_says_nothing_is_unknown(
    client: RakutenClient, answer: dict[str, Any]
) -> None:
    answering(client, **answer)
    with pytest.raises(OutcomeUnknown):
        await client.cancel_order("1", reason=8, restore=2)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"orderNumberList": 5}', b'{"a": "\x82\xa0"}'])
async def test_an_unreadable_search_is_a_bad_answer(client: RakutenClient, content: bytes) -> None:
    answering(client, content=content)
    end = datetime.now(UTC)
    if content.startswith(b'{"a"'):
        # Text in another charset in a member that is never decoded does no harm.
        await client.search_page(end, end, (), page=1, amount=30)
        return
    with pytest.raises(BadAnswer):
        await client.search_page(end, end, (), page=1, amount=30)


async def test_a_write_answered_well_but_not_as_written_is_unknown(client: RakutenClient) -> None:
    answering(client, json={})
    with pytest.raises(OutcomeUnknown, match="204"):
        await client.bulk_upsert([("mug", "blue", 1)])
