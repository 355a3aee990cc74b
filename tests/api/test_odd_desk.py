"""The desk's and the buyers' endpoints, asked oddly: a clear refusal, never a crash."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from inventory.api.paging import ID_MAX, encoded
from inventory.fields import MESSAGE_CHARACTERS_MAX
from tests.api.conftest import problem

LAST = ID_MAX


@pytest.mark.parametrize(
    "path",
    [
        *(f"/alerts/{LAST}", f"/oversells/{LAST}", f"/cancellations/{LAST}", f"/events/{LAST}"),
        f"/cancellations/{LAST}/message",
    ],
)
async def test_the_greatest_id_that_there_may_be_is_not_there(
    admin: httpx.AsyncClient, path: str
) -> None:
    assert problem(await admin.get(path)) == (404, "not_found")
    beyond = path.replace(str(LAST), str(LAST + 1))
    assert problem(await admin.get(beyond)) == (400, "bad_input")


async def test_the_greatest_id_ends_nothing(admin: httpx.AsyncClient) -> None:
    for path in (f"/alerts/{LAST}/acknowledge", f"/cancellations/{LAST}/approve"):
        assert problem(await admin.post(path)) == (404, "not_found")


async def test_a_cursor_with_a_nul_in_it_is_not_one_of_ours(admin: httpx.AsyncClient) -> None:
    for key in ("\x00", "A\x00B"):
        answer = await admin.get("/suppliers", params={"cursor": encoded(key)})
        assert problem(answer) == (400, "bad_input")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/alert-rules", {"kind": "A" * 200_000}),
        ("POST", "/webhook-endpoints", {"kind": "A" * 200_000}),
        ("POST", "/cancellations/1/message", {"extent": "A" * 200_000}),
        ("PUT", "/teams/buyers", {"A" * 200_000: 1}),
        ("PUT", "/buying-terms", {"skus": [{"sku": "a", "A" * 200_000: 1}]}),
    ],
)
async def test_a_refusal_does_not_send_a_huge_value_back(
    admin: httpx.AsyncClient, method: str, path: str, body: dict[str, Any]
) -> None:
    answer = await admin.request(method, path, json=body)
    assert problem(answer) == (400, "bad_input")
    [wrong] = answer.json()["errors"]
    assert len(wrong["message"]) <= MESSAGE_CHARACTERS_MAX
    assert len(answer.content) < 2_000


async def test_a_broken_rule_is_told_in_words(admin: httpx.AsyncClient) -> None:
    answer = await admin.put("/teams/buyers", json={"escalates_to": "a b"})
    assert answer.json()["errors"] == [
        {
            "message": "Expected `str` printable ASCII, without spaces and slashes",
            "where": "body.escalates_to",
        }
    ]
    answer = await admin.put("/suppliers/acme", json={"name": "two\nlines"})
    [wrong] = answer.json()["errors"]
    assert wrong["message"] == "Expected `str` without line breaks and control characters"
    answer = await admin.put("/teams/a%20b", json={})
    assert "printable ASCII, without spaces and slashes" in answer.json()["detail"]


async def test_a_team_that_two_put_at_once_is_there_once(admin: httpx.AsyncClient) -> None:
    named = [str(number) for number in range(12)]
    answers = await asyncio.gather(
        *(admin.put("/teams/heads", json={"name": name}) for name in named)
    )
    assert {answer.status_code for answer in answers} == {200}
    [team] = (await admin.get("/teams")).json()["items"]
    assert team["name"] in named


async def test_a_wrong_method_is_told_the_right_ones(admin: httpx.AsyncClient) -> None:
    for method, path, right in (
        ("DELETE", "/oversells", {"GET", "OPTIONS"}),
        ("GET", "/alerts/1/acknowledge", {"POST", "OPTIONS"}),
        ("POST", "/teams/heads", {"PUT", "DELETE", "OPTIONS"}),
    ):
        answer = await admin.request(method, path)
        assert problem(answer) == (405, "method_not_allowed")
        assert set(answer.headers["allow"].split(", ")) == right


async def test_a_rule_that_is_told_twice_is_there_once(
    admin: httpx.AsyncClient, mug: dict[str, Any]
) -> None:
    for rule in ({"level": 3}, {"kind": "low_cover", "level": 3, "category": "食器"}):
        answers = await asyncio.gather(*(admin.post("/alert-rules", json=rule) for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    refused = await admin.post("/alert-rules", json={"level": 3, "clear_margin": 1})
    assert problem(refused) == (409, "already_exists")
    assert refused.json()["detail"] == "rule 1 says the same already"
    for other in ({"level": 4}, {"level": 3, "clear_margin": 2}, {"level": 3, "sku": "MUG"}):
        assert (await admin.post("/alert-rules", json=other)).status_code == 201
    assert (await admin.delete("/alert-rules/1")).status_code == 204
    assert (await admin.post("/alert-rules", json={"level": 3})).status_code == 201
