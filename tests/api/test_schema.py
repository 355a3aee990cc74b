"""The description of the API at /schema."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from litestar import Litestar

from inventory.app import create_app
from inventory.config import Settings
from inventory.errors import WrongState
from tests.conftest import _run


@pytest.fixture
async def described(stranger: httpx.AsyncClient) -> dict[str, Any]:
    """The whole description."""
    answer = await stranger.get("/schema")
    assert answer.status_code == 200
    found: dict[str, Any] = json.loads(answer.text)
    return found


async def test_every_operation_is_described(described: dict[str, Any]) -> None:
    operations = [
        (path, operation)
        for path, methods in described["paths"].items()
        for operation in methods.values()
        if isinstance(operation, dict)
    ]
    names = [operation["operationId"] for _, operation in operations]
    assert len(names) == len(set(names)) > 40
    for path, operation in operations:
        assert operation.get("description"), path
        assert operation["tags"], path
        if path.startswith("/v1"):
            assert operation["security"] == [{"key": []}], path
            assert {"400", "401", "403"} <= set(operation["responses"]), path
        else:
            assert not operation.get("security"), path


async def test_problems_and_scopes_are_described(described: dict[str, Any]) -> None:
    assert described["info"]["title"] == "Hikiate"
    for scope in ("stock:read", "stock:write", "orders:write", "channels:write", "admin"):
        assert f"`{scope}`" in described["info"]["description"]
    assert described["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    refused = described["paths"]["/v1/movements"]["post"]["responses"]["409"]
    assert list(refused["content"]) == ["application/problem+json"]
    assert "content_differs" in refused["description"]
    schemas = described["components"]["schemas"]
    assert {"Problem", "NewSku", "SaleTold", "SkuPage"} <= set(schemas)
    assert not [name for name in schemas if "." in name]


async def test_app_does_not_start_on_an_old_schema(
    settings: Settings, database_url: str, postgres: str
) -> None:
    await _run(database_url, "UPDATE alembic_version SET version_num = '0000'")
    app: Litestar = create_app(settings, ring=print)
    with pytest.raises(ExceptionGroup) as caught:
        async with app.lifespan():
            pass
    assert caught.group_contains(WrongState, match="run `hikiate migrate`")


def test_settings_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, database_url: str, valkey: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", valkey)
    monkeypatch.setenv("HIKIATE_SECRET_KEY", "x" * 40)
    assert isinstance(create_app(), Litestar)
