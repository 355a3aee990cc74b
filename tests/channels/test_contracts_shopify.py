"""Every document of ours, and the sandbox's schema, against Shopify's published schema."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    OperationDefinitionNode,
    OperationType,
    build_schema,
    parse,
    validate,
)
from graphql.execution.values import get_variable_values
from redis.asyncio import Redis

from channels.base import Adapter
from channels.sandbox.shopify_cost import Estimate
from channels.sandbox.shopify_schema import SDL
from channels.shopify import documents
from channels.shopify.adapter import ShopifyAdapter
from inventory.vocabulary import QuantityPush
from tests.channels.contracts import (
    CONTRACTS,
    shopify_schema,
)
from tests.channels.sandbox_process import SandboxProcess
from tests.channels.shopify_shop import opened

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
    "history": (documents.HISTORY, documents.HISTORY_POINTS),
    "variants": (documents.VARIANTS, documents.VARIANTS_POINTS),
    "variants count": (documents.VARIANTS_COUNT, documents.VARIANTS_COUNT_POINTS),
    "standing": (documents.STANDING, documents.STANDING_POINTS),
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


Sent = tuple[OperationDefinitionNode, dict[str, Any]]


def recorded(adapter: Adapter) -> list[bytes]:
    """Every body that the adapter sends from now on."""
    assert isinstance(adapter, ShopifyAdapter)
    bodies: list[bytes] = []

    async def record(request: httpx.Request) -> None:
        bodies.append(request.content)

    adapter._client._http._client.event_hooks = {"request": [record]}
    return bodies


def operations(bodies: Sequence[bytes]) -> list[Sent]:
    """The operations in these bodies, logins left out, checked against the published schema."""
    found: list[Sent] = []
    for body in bodies:
        if not body.startswith(b"{"):
            continue
        asked = json.loads(body)
        document = parse(asked["query"])
        assert validate(shopify_schema(), document) == []
        [operation] = document.definitions
        assert isinstance(operation, OperationDefinitionNode)
        values = get_variable_values(
            shopify_schema(), operation.variable_definitions or (), asked["variables"]
        )
        assert isinstance(values, dict), values
        found.append((operation, asked["variables"]))
    return found


async def test_every_operation_that_is_sent_fits_the_published_schema(
    start_sandbox: Callable[..., SandboxProcess], redis: Redis
) -> None:
    async with opened(start_sandbox, redis, location_id=None) as shop:
        bodies = recorded(shop.adapter)
        first, second = shop.sold({"MUG": 1}), shop.sold({"MUG": 1, "MUG-RED": 1})
        shop.sandbox.act("shopify", second, "drop-unit")
        shop.sandbox.act("shopify", second, "ship")
        await shop.pull()
        await shop.settled(first, await shop.cancel(first))
        await shop.adapter.push_quantities([number("MUG", 7, -1), number("MUG-RED", 2)])
        await shop.adapter.standing()
        await shop.adapter.discover({})
        await shop.adapter.read_history({}, since=datetime.now(UTC) - timedelta(days=1))

    sent = operations(bodies)
    names = {operation.name.value for operation, _ in sent if operation.name}
    assert names == {
        *("Orders", "Changed", "Order", "Shipped", "Cancel", "CancelResult", "History"),
        *("Items", "Locations", "Push", "Standing", "Variants", "VariantsCount"),
    }


async def test_every_write_is_idempotent_and_names_change_from_quantity(
    start_sandbox: Callable[..., SandboxProcess], redis: Redis
) -> None:
    async with opened(start_sandbox, redis) as shop:
        shop.sandbox.list_items("shopify", {"MUG-BLUE": 3})
        await shop.adapter.read_stock(["MUG", "MUG-RED", "MUG-BLUE"])
        assert isinstance(shop.adapter, ShopifyAdapter)
        known = shop.adapter._stock._known
        bodies = recorded(shop.adapter)
        await shop.adapter.push_quantities(
            [number("MUG", 8, -2), number("MUG-RED", 4), number("MUG-BLUE", 0)]
        )

    skus = {item: sku for sku, each in known.items() for item in each.item_ids}
    rows: dict[str, int | None] = {}
    keys: set[str] = set()
    for operation, values in operations(bodies):
        if operation.operation is not OperationType.MUTATION:
            continue
        for place, field in enumerate(operation.selection_set.selections):
            assert [each.name.value for each in field.directives or ()] == ["idempotent"]
            keys.add(values[f"k{place}"])
            given = values[f"i{place}"]
            for row in given.get("changes", given.get("quantities")):
                rows[skus[row["inventoryItemId"]]] = row["changeFromQuantity"]
    # A change and a zero need no check; a number is only set where the reading still holds.
    assert rows == {"MUG": None, "MUG-RED": 5, "MUG-BLUE": None}
    assert len(keys) == 3


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
