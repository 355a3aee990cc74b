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
        if path.startswith("/v1") and not path.startswith("/v1/notices"):
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


def choices(part: Any) -> list[list[Any]]:
    """Every list of shapes of which one must fit."""
    if isinstance(part, dict):
        found = [part[name] for name in ("oneOf", "anyOf") if name in part]
        return found + [each for inner in part.values() for each in choices(inner)]
    if isinstance(part, list):
        return [each for inner in part for each in choices(inner)]
    return []


async def test_no_choice_has_a_shape_that_everything_fits(described: dict[str, Any]) -> None:
    found = choices(described)
    assert len(found) > 20
    assert not [shapes for shapes in found if {} in shapes]


async def test_the_door_for_orders_takes_one_or_many(described: dict[str, Any]) -> None:
    told = described["paths"]["/v1/channels/{channel}/orders"]["post"]
    [media] = told["requestBody"]["content"].values()
    shapes = [shape["$ref"].rpartition("/")[2] for shape in media["schema"]["oneOf"]]
    assert shapes == ["SaleTold", "OrdersTold"]
    schemas = described["components"]["schemas"]
    assert schemas["OrdersTold"]["properties"]["orders"]["maxItems"] == 1000
    assert schemas["EventAnswer"]["required"] == ["code", "detail", "repeated", "state"]
    moves = schemas["Moves"]["properties"]["lines"]["items"]["oneOf"]
    kinds = [schemas[move["$ref"].rpartition("/")[2]]["properties"]["kind"] for move in moves]
    assert [kind["const"] for kind in kinds] == [
        "receive",
        "adjust",
        "count",
        "transfer",
        "transfer_out",
        "transfer_in",
        "return",
        "supply",
        "supply_end",
    ]


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
