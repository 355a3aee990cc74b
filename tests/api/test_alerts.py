"""Teams, suppliers, buying terms and what people do about alerts, over the API."""

from __future__ import annotations

from typing import Any

import httpx

from tests.api.conftest import Look, Rung, problem

NOON = "2026-11-21T12:00:00Z"


async def put(admin: httpx.AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    answer = await admin.put(path, json=body)
    assert answer.is_success, answer.text
    return dict(answer.json()) if answer.content else {}


async def test_teams_and_suppliers_are_put_and_listed(admin: httpx.AsyncClient) -> None:
    heads = await put(admin, "/teams/heads")
    night = await put(admin, "/teams/night", name="夜", escalates_to="heads", escalate_minutes=30)
    assert (await admin.get("/teams")).json() == {"items": [heads, night], "next": None}
    assert night == {
        "code": "night",
        "name": "夜",
        "escalates_to": "heads",
        "escalate_minutes": 30,
        "digest_over": 5,
        "digest_minutes": 15,
    }
    changed = await put(admin, "/teams/night", digest_over=2)
    assert (changed["escalates_to"], changed["digest_over"]) == (None, 2)

    osaka = await put(admin, "/suppliers/osaka", lead_days=14)
    tokyo = await put(admin, "/suppliers/tokyo", cover_days=7)
    first = (await admin.get("/suppliers", params={"limit": 1})).json()
    assert first["items"] == [osaka]
    rest = (await admin.get("/suppliers", params={"cursor": first["next"]})).json()
    assert rest == {"items": [tokyo], "next": None}

    assert problem(await admin.delete("/teams/night%20")) == (400, "bad_input")
    for path in ("/teams/night", "/suppliers/osaka"):
        assert (await admin.delete(path)).status_code == 204
        assert problem(await admin.delete(path)) == (404, "not_found")
    assert (await admin.get("/teams")).json()["items"] == [heads]
    assert (await admin.get("/suppliers")).json()["items"] == [tokyo]


async def test_buying_terms_shape_the_advice(
    admin: httpx.AsyncClient, store: str, rung: Rung
) -> None:
    await put(admin, "/suppliers/osaka", lead_days=14)
    row = {"sku": "MUG", "category": "食器", "supplier": "osaka", "pack_size": 6}
    await put(admin, "/buying-terms", skus=[row])
    assert (await rung())[-1] == "refresh"
    assert (await admin.get("/skus/MUG/buying-terms")).json() == row

    advice = (await admin.get("/skus/MUG/advice")).json()
    assert advice == {
        "sku": "MUG",
        "name": "",
        "category": "食器",
        "supplier": "osaka",
        "available": 10,
        "sold_per_day": None,
        "days_of_cover": None,
        "runs_out_on": None,
        "inbound": [],
        "lead_days": 14,
        "order_by": None,
        "suggested_quantity": None,
        "pack_size": 6,
        "why": "Too few days in stock were seen to say how fast it sells.",
        "why_ja": "在庫のあった日数が足りず、販売ペースはまだ測れていません。",
        "sells_on": advice["sells_on"],
    }
    assert advice["sells_on"][0]["channel_sku"] == "W-MUG"


async def test_a_person_acknowledges_and_snoozes(admin: httpx.AsyncClient, store: str) -> None:
    await put(admin, "/teams/night")
    rule = {"sku": "MUG", "level": 10, "team": "night"}
    assert (await admin.post("/alert-rules", json=rule)).status_code == 201

    acknowledged = (await admin.post("/alerts/1/acknowledge")).json()
    assert (acknowledged["acknowledged_by"], acknowledged["acknowledged_at"]) == ("tester", NOON)
    snoozed = await admin.post("/alerts/1/snooze", json={"until": "2026-11-22T09:00:00+09:00"})
    assert snoozed.json()["snoozed_until"] == "2026-11-22T00:00:00Z"
    assert (await admin.get("/alerts/1")).json() == snoozed.json()
    for params, count in (({"team": "night"}, 1), ({"team": "day"}, 0), ({"digest": 1}, 0)):
        assert len((await admin.get("/alerts", params=params)).json()["items"]) == count


async def test_wrong_wishes_change_nothing(
    admin: httpx.AsyncClient, store: str, contents: Look
) -> None:
    await put(admin, "/teams/day")
    await put(admin, "/suppliers/nagoya")
    of_nagoya = {"supplier": "nagoya", "level": 1, "team": "day"}
    for rule in ({"sku": "MUG", "level": 10}, of_nagoya):
        assert (await admin.post("/alert-rules", json=rule)).status_code == 201
    before = await contents()
    for method, path, body, expected in (
        ("PUT", "/teams/night", {"escalates_to": "nobody"}, (404, "not_found")),
        ("PUT", "/teams/night", {"escalates_to": "night"}, (400, "bad_input")),
        ("PUT", "/teams/ni%20ght", {}, (400, "bad_input")),
        ("PUT", "/teams/night", {"escalate_minutes": 0}, (400, "bad_input")),
        ("DELETE", "/teams/day", None, (409, "wrong_state")),
        ("DELETE", "/suppliers/nagoya", None, (409, "wrong_state")),
        ("PUT", "/suppliers/osaka", {"lead_days": -1}, (400, "bad_input")),
        ("PUT", "/buying-terms", {"skus": [{"sku": "NO"}]}, (404, "unknown_sku")),
        ("PUT", "/buying-terms", {"skus": [{"sku": "MUG"}] * 2}, (400, "bad_input")),
        ("PUT", "/buying-terms", {"skus": [{"sku": "MUG", "supplier": "x"}]}, (404, "not_found")),
        ("POST", "/alerts/1/snooze", {"until": "2026-11-21T12:00:00Z"}, (400, "bad_input")),
        ("POST", "/alerts/1/snooze", {"until": "2027-11-21T12:00:00Z"}, (400, "bad_input")),
        ("POST", "/alerts/9/snooze", {"until": "2026-11-22T12:00:00Z"}, (404, "not_found")),
        ("POST", "/alerts/9/acknowledge", None, (404, "not_found")),
        ("GET", "/alerts/9", None, (404, "not_found")),
        ("GET", "/skus/NO/advice", None, (404, "unknown_sku")),
        ("POST", "/alert-rules", {"kind": "oversell"}, (400, "bad_input")),
        ("POST", "/alert-rules", {"level": 1, "team": "nobody"}, (404, "not_found")),
    ):
        answer = await admin.request(method, path, json=body)
        assert problem(answer) == expected, (method, path, body)
    assert await contents() == before
