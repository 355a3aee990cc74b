"""What cannot be understood is refused as a problem, and nothing is changed."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from inventory.api.context import Bell, Services
from inventory.api.paging import encoded
from tests.api.conftest import Look, problem

MALFORMED = (
    *(b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 10_000, b'{"code":1e999}'),
    b'{"code":"\xff"}',
)


async def test_malformed_bodies(admin: httpx.AsyncClient, contents: Look) -> None:
    before = await contents()
    headers = {"Content-Type": "application/json"}
    for body in MALFORMED:
        answer = await admin.post("/skus", content=body, headers=headers)
        assert problem(answer) == (400, "bad_input"), body[:20]
    assert await contents() == before


async def test_body_over_the_limit(admin: httpx.AsyncClient, contents: Look) -> None:
    before = await contents()

    async def in_parts() -> Any:
        for _ in range(11):
            yield b" " * 100_000

    whole = await admin.post("/skus", content=b" " * 1_000_001)
    parts = await admin.post("/skus", content=in_parts())

    assert problem(whole) == (413, "too_large")
    assert problem(parts) == (413, "too_large")
    assert await contents() == before


WRONG: list[dict[str, Any]] = [
    {},
    {"code": ""},
    {"code": "a b"},
    {"code": "a/b"},
    {"code": "a\n"},
    {"code": "あ"},
    {"code": "x" * 201},
    {"code": "A", "name": "x" * 201},
    {"code": "A", "name": "a\x00b"},
    {"code": "A", "name": "a\u2028b"},
    {"code": "A", "name": None},
    {"code": "A", "safety_stock": -1},
    {"code": "A", "safety_stock": 10**30},
    {"code": "A", "color": "red"},
]


async def test_wrong_fields_are_named(admin: httpx.AsyncClient, contents: Look) -> None:
    before = await contents()
    for body in WRONG:
        answer = await admin.post("/skus", json=body)
        assert problem(answer) == (400, "bad_input"), body
        [error] = answer.json()["errors"]
        assert error["where"].startswith("body"), body
        assert error["message"]
    assert await contents() == before


ADDRESSES = [
    "/skus?limit=0",
    "/skus?limit=501",
    "/skus?limit=many",
    "/skus?cursor=%00",
    "/skus?cursor=nonsense",
    "/skus?cursor=" + "A" * 5000,
    f"/skus?cursor={encoded(10**30)}",
    f"/skus?cursor={encoded(2**31)}",
    f"/skus?cursor={encoded(-1)}",
    f"/skus?cursor={encoded('x')}",
    f"/events?cursor={encoded(2**63)}",
    f"/supplies?cursor={encoded(['2026-11-21', 2**63])}",
    f"/supplies?cursor={encoded(['0000-11-21', 1])}",
    f"/transfers?cursor={encoded([1, 1])}",
    f"/counts?cursor={encoded('x')}",
    "/supplies?state=lost",
    "/transfers?state=lost",
    "/counts?state=lost",
    f"/skus/MUG/movements?cursor={encoded(['2026-11-21T12:00:00Z', 1, 99999, 1, 'ship'])}",
    f"/skus/MUG/movements?cursor={encoded(['0001-01-01T00:00:00+14:00', 1, 0, 1, 'ship'])}",
    f"/skus/MUG/movements?cursor={encoded(['2026-11-21T12:00:00', 1, 0, 1, 'ship'])}",
    "/events/0",
    "/events/99999999999999999999",
    "/channels/web/listings/2147483648",
    "/channels/web/availability?channel_sku=",
    "/channels/web/availability?channel_sku=%00",
    "/skus/%00",
    "/skus/" + "x" * 201,
]


async def test_wrong_addresses(admin: httpx.AsyncClient, store: str) -> None:
    for address in ADDRESSES:
        assert problem(await admin.get(address)) == (400, "bad_input"), address


async def test_unknown_address_and_method(
    admin: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    assert problem(await stranger.get("/nowhere")) == (404, "not_found")
    assert problem(await admin.get("/nowhere")) == (404, "not_found")
    assert problem(await admin.get("/events/abc")) == (404, "not_found")
    assert problem(await admin.delete("/skus")) == (405, "method_not_allowed")


async def test_crash_is_logged_and_shown_without_internals(
    admin: httpx.AsyncClient,
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
    contents: Look,
) -> None:
    async def crash(*_: object, **__: object) -> None:
        raise RuntimeError("the password is swordfish")

    before = await contents()
    monkeypatch.setattr("inventory.api.skus.catalogue.create_sku", crash)

    answer = await admin.post("/skus", json={"code": "CUP"})

    assert problem(answer) == (500, "internal_error")
    assert "swordfish" not in answer.text
    assert "RuntimeError" not in answer.text
    assert await contents() == before


async def test_broken_doorbell_fails_no_request(
    admin: httpx.AsyncClient, services: Services
) -> None:
    def broken(_: str) -> None:
        raise ConnectionRefusedError

    services.bell = Bell(broken)
    await admin.post("/skus", json={"code": "CUP"})
    answer = await admin.patch("/skus/CUP", json={"safety_stock": 1})
    await services.bell.quiet()
    assert (answer.status_code, answer.json()["safety_stock"]) == (200, 1)


async def test_rings_that_wait_become_one() -> None:
    rung: list[str] = []
    bell = Bell(rung.append)
    for name in ("refresh", "notify", "refresh", "refresh"):
        bell.ring(name)
    await bell.quiet()
    assert rung == ["refresh", "notify"]
    bell.ring("refresh")
    await asyncio.sleep(0)
    await bell.quiet()
    assert rung == ["refresh", "notify", "refresh"]


async def test_rings_come_with_a_pause_unless_the_house_closes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("inventory.api.context.BELL_PAUSE_SECONDS", 3600)
    rung: list[str] = []
    heard = asyncio.Event()
    loop = asyncio.get_running_loop()

    def ring(name: str) -> None:
        rung.append(name)
        loop.call_soon_threadsafe(heard.set)

    bell = Bell(ring)
    bell.ring("refresh")
    await heard.wait()
    for _ in range(100):
        bell.ring("refresh")
        await asyncio.sleep(0)
    assert rung == ["refresh"]
    await bell.quiet()
    assert rung == ["refresh", "refresh"]
