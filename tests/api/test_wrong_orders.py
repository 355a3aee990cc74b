"""What an own store may not tell, and what waits for a person."""

from __future__ import annotations

from typing import Any

import httpx

from tests.api.conftest import Look, problem
from tests.api.test_orders import order, stock

WRONG: list[dict[str, Any]] = [
    {"lines": []},
    {"lines": [{"line_ref": "1", "channel_sku": "W-MUG", "quantity": 0}]},
    {"lines": [{"line_ref": "1", "channel_sku": "W-MUG", "quantity": -3}]},
    {"lines": [{"line_ref": "1", "channel_sku": "W-MUG", "quantity": 1_000_001}]},
    {"lines": [{"line_ref": "1", "channel_sku": "W-MUG", "quantity": 1.5}]},
    {"lines": [{"line_ref": "1", "channel_sku": "W-MUG", "quantity": "many"}]},
    {"lines": [{"line_ref": "1", "channel_sku": "W-MUG", "quantity": 1, "price": 1}]},
    {"lines": [{"line_ref": "1", "channel_sku": "W-MUG", "quantity": 1}] * 201},
    {"order_ref": ""},
    {"order_ref": "x" * 201},
    {"order_ref": "a\nb"},
    {"order_ref": "a/b"},
    {"event_id": "\x00"},
    {"occurred_at": "yesterday"},
    {"occurred_at": "1969-07-20T00:00:00Z"},
    {"occurred_at": "2026-11-21T12:00:00"},
    {"ship_by": "9999-12-31T23:59:59Z"},
    {"buyer_name": "Hanako"},
]


async def test_wrong_orders_are_refused_and_nothing_is_kept(
    admin: httpx.AsyncClient, store: str, contents: Look
) -> None:
    before = await contents()
    for changes in WRONG:
        answer = await admin.post(f"{store}/orders", json=order() | changes)
        assert problem(answer) == (400, "bad_input"), changes
    assert await contents() == before


async def test_line_named_twice_waits_for_a_person(admin: httpx.AsyncClient, store: str) -> None:
    line = {"line_ref": "1", "channel_sku": "W-MUG", "quantity": 1}
    answer = await admin.post(f"{store}/orders", json=order(lines=[line, line]))

    assert (answer.status_code, answer.json()["code"]) == (202, "malformed")
    assert await stock(admin) == (10, 0)
