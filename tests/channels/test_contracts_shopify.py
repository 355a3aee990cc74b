"""Every document of ours, and the sandbox's schema, against Shopify's published schema."""

from __future__ import annotations

import json
from collections.abc import Callable

import msgspec
import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    OperationDefinitionNode,
    build_schema,
    parse,
    validate,
)
from redis.asyncio import Redis

from channels.keep import Means, MemoryKeep
from channels.sandbox.shopify_cost import Estimate
from channels.sandbox.shopify_schema import SDL
from channels.shopify import documents
from channels.shopify.adapter import ShopifyAdapter, ShopifyCredentials, ShopifySettings
from channels.shopify.adapter import build as build_shopify
from inventory.vocabulary import QuantityPush
from tests.channels.contracts import (
    CONTRACTS,
    Recorder,
    shopify_schema,
)
from tests.channels.sandbox_process import SandboxProcess

pytestmark = pytest.mark.skipif(
    not CONTRACTS.is_dir(), reason="the published models are not beside the repository"
)

DOCUMENTS = {
    "orders": (documents.ORDERS, documents.ORDERS_POINTS),
    "changed": (documents.CHANGED, 3 * documents.CHANGED_POINTS_EACH),
    "order": (documents.ORDER, documents.ORDER_POINTS),
    "shipped": (documents.SHIPPED, documents.SHIPPED_POINTS),
    "items": (documents.ITEMS, documents.ITEMS_POINTS),
    "locations": (documents.LOCATIONS, documents.LOCATIONS_POINTS),
    "cancel": (documents.CANCEL, documents.MUTATION_POINTS),
    "cancel result": (documents.CANCEL_RESULT, documents.CANCEL_RESULT_POINTS),
    "one push": (documents.push([True]), documents.MUTATION_POINTS),
    "pushes": (documents.push([True, False] * 10), 20 * documents.MUTATION_POINTS),
}


def number(sku: str, quantity: int, change: int | None = None) -> QuantityPush:
    """One number to show."""
    return QuantityPush(channel_sku=sku, quantity=quantity, change=change, key=f"k-{sku}")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_shopify_document_is_valid(name: str) -> None:
    assert validate(shopify_schema(), parse(DOCUMENTS[name][0])) == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_shopify_document_costs_what_we_say(name: str) -> None:
    text, points = DOCUMENTS[name]
    document = parse(text)
    [operation] = document.definitions
    assert isinstance(operation, OperationDefinitionNode)

    assert (
        Estimate(build_schema(SDL), document, {"ids": ["1", "2", "3"]}).points(operation) == points
    )
    assert points <= 1000


async def test_every_shopify_write_is_idempotent_and_names_change_from_quantity(
    start_sandbox: Callable[..., SandboxProcess], redis: Redis
) -> None:
    sandbox = start_sandbox()
    access = sandbox.access("shopify")
    sandbox.list_items("shopify", {"MUG": 10, "MUG-RED": 5})
    adapter = build_shopify(
        channel_id=1,
        base_url=access["base_url"],
        settings=msgspec.convert(access["settings"], ShopifySettings),
        credentials=msgspec.convert(access["credentials"], ShopifyCredentials),
        means=Means(redis=redis, keep=MemoryKeep()),
    )
    assert isinstance(adapter, ShopifyAdapter)
    await adapter.budgets.fill()
    recorder = Recorder(adapter._client._http._client)

    await adapter.push_quantities([number("MUG", 8, -2), number("MUG-RED", 4)])
    await adapter.aclose()

    body = json.loads(recorder.answers[-1].request.content)
    [operation] = parse(body["query"]).definitions
    assert isinstance(operation, OperationDefinitionNode)
    for field in operation.selection_set.selections:
        assert [directive.name.value for directive in field.directives or ()] == ["idempotent"]
    values = body["variables"]
    rows = [values["i0"]["changes"][0], values["i1"]["quantities"][0]]
    assert [row["changeFromQuantity"] for row in rows] == [None, None]
    assert len({values["k0"], values["k1"]}) == 2


def test_the_sandbox_serves_a_true_part_of_shopifys_schema() -> None:
    published = shopify_schema().type_map
    for name, ours in build_schema(SDL).type_map.items():
        if name.startswith("__"):
            continue
        theirs = published[name]
        assert type(theirs) is type(ours), name
        if isinstance(ours, GraphQLEnumType) and isinstance(theirs, GraphQLEnumType):
            assert set(ours.values) <= set(theirs.values), name
        if isinstance(ours, GraphQLInputObjectType) and isinstance(theirs, GraphQLInputObjectType):
            for key, member in ours.fields.items():
                assert str(theirs.fields[key].type) == str(member.type), f"{name}.{key}"
        composite = (GraphQLObjectType, GraphQLInterfaceType)
        if isinstance(ours, composite) and isinstance(theirs, composite):
            _check_fields(name, ours, theirs)


def _check_fields(
    name: str,
    ours: GraphQLObjectType | GraphQLInterfaceType,
    theirs: GraphQLObjectType | GraphQLInterfaceType,
) -> None:
    for key, field in ours.fields.items():
        real = theirs.fields[key]
        assert str(real.type) == str(field.type), f"{name}.{key}"
        for argument, kind in field.args.items():
            assert str(real.args[argument].type) == str(kind.type), f"{name}.{key}({argument})"
        missing = set(real.args) - set(field.args)
        assert not any(str(real.args[one].type).endswith("!") for one in missing), f"{name}.{key}"
    assert {one.name for one in ours.interfaces} <= {one.name for one in theirs.interfaces}, name


def test_every_input_that_shopify_requires_is_required_in_the_sandbox() -> None:
    published = shopify_schema().type_map
    for name, ours in build_schema(SDL).type_map.items():
        theirs = published.get(name)
        if isinstance(theirs, GraphQLInputObjectType) and isinstance(ours, GraphQLInputObjectType):
            needed = {key for key, one in theirs.fields.items() if str(one.type).endswith("!")}
            assert needed <= set(ours.fields), name
