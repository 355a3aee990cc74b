"""Shopify's cost of a query: charged before it runs, the difference handed back after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLCompositeType,
    GraphQLField,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    get_named_type,
    is_leaf_type,
    value_from_ast_untyped,
)

from channels.sandbox.limits import TokenBucket

# The base cost of a mutation is UNCONFIRMED; ten is what answers have shown.
MUTATION_COST = 10
WRAPPERS = frozenset({"nodes", "edges", "pageInfo"})


class PointsBucket(TokenBucket):
    """A bucket whose books count points, not calls."""

    def take(self, tick: float, cost: float = 1.0) -> bool:
        """Spend `cost` points, or refuse and spend nothing."""
        taken = super().take(tick, cost)
        if taken:
            self.used += round(cost) - 1
        return taken

    def give_back(self, cost: float) -> None:
        """Return points that the query turned out not to need."""
        super().give_back(cost)
        self.used -= round(cost)


class Estimate:
    """What one operation may cost at most, in points: objects 1, scalars 0, lists by `first`."""

    def __init__(
        self, schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any]
    ) -> None:
        self._schema = schema
        self._variables = variables
        self._fragments = {
            node.name.value: node
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }

    def points(self, operation: OperationDefinitionNode) -> int:
        """The requested cost of a validated operation."""
        if operation.operation is OperationType.MUTATION:
            return MUTATION_COST * len(operation.selection_set.selections)
        root = self._schema.query_type
        return 0 if root is None else self._selections(root, operation.selection_set)

    def _selections(self, parent: GraphQLCompositeType, selections: SelectionSetNode) -> int:
        plain, variants = 0, [0]
        for node in selections.selections:
            if isinstance(node, FieldNode):
                plain += self._field(parent, node)
            elif isinstance(node, InlineFragmentNode):
                kind = getattr(node, "type_condition", None)  # None for a bare `... {`
                inner = parent if kind is None else self._type(kind.name.value)
                variants.append(self._selections(inner, node.selection_set))
            elif isinstance(node, FragmentSpreadNode):
                spread = self._fragments[node.name.value]
                inner = self._type(spread.type_condition.name.value)
                variants.append(self._selections(inner, spread.selection_set))
        return plain + max(variants)

    def _field(self, parent: GraphQLCompositeType, node: FieldNode) -> int:
        if node.name.value.startswith("__") or node.selection_set is None:
            return 0
        fields: Mapping[str, GraphQLField] = getattr(parent, "fields", {})  # a union has none
        field = fields[node.name.value]
        named = get_named_type(field.type)
        if is_leaf_type(named):
            return 0
        inner = self._type(named.name)
        if named.name == "PageInfo":
            return 0
        if named.name.endswith("Connection"):
            return self._first(node) * self._selections(inner, node.selection_set)
        if named.name.endswith("Edge"):
            return self._selections(inner, node.selection_set)
        # A plain list is taken as one object unless it says how many it may be.
        return max(self._first(node), 1) * (1 + self._selections(inner, node.selection_set))

    def _first(self, node: FieldNode) -> int:
        """How many objects a field asks for: `first`, or the number of `ids`; 0 if neither."""
        for argument in node.arguments:
            if argument.name.value in {"first", "ids"}:
                value = value_from_ast_untyped(argument.value, dict(self._variables))
                return len(value) if isinstance(value, list) else int(value or 0)
        return 0

    def _type(self, name: str) -> Any:
        return self._schema.type_map[name]


def actual(data: Any, *, mutation: bool) -> int:
    """What an answer's data cost in the end, in points."""
    if not isinstance(data, dict):
        return 0
    if mutation:
        return MUTATION_COST * len(data)
    return sum(_objects(value) for value in data.values())


def _objects(value: Any) -> int:
    if isinstance(value, list):
        return sum(_objects(one) for one in value)
    if not isinstance(value, dict):
        return 0
    if value and value.keys() <= WRAPPERS:
        return sum(_objects(value[name]) for name in value if name != "pageInfo")
    if value.keys() <= {"node", "cursor"}:
        return _objects(value.get("node"))
    return 1 + sum(_objects(one) for one in value.values())
