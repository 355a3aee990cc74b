"""The part of EC-CUBE's generated schema that the sandbox serves (Web API plugin, Types)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from graphql import GraphQLError, GraphQLScalarType, GraphQLSchema, build_schema

SDL = """
schema { query: Query mutation: Mutation }

scalar DateTime

type Query {
  order(id: ID!): Order
  orders(
    multi: String, order_no: String, status: [String],
    order_datetime_start: DateTime, order_datetime_end: DateTime,
    update_datetime_start: DateTime, update_datetime_end: DateTime,
    page: Int = 1, limit: Int = 50
  ): OrderConnection
  products(id: String, status: [String], page: Int = 1, limit: Int = 50): ProductConnection
}

type Mutation {
  updateProductStock(code: String!, stock: Int, stock_unlimited: Boolean!): ProductClass
}

type PageInfo { hasNextPage: Boolean! hasPreviousPage: Boolean! }
type OrderStatus { id: ID! name: String! }
type OrderItemType { id: ID! name: String! }
type ProductStatus { id: ID! name: String! }
type ClassCategory { id: ID! name: String! }

type Order {
  id: ID! order_no: String name01: String! email: String payment_total: Float!
  create_date: DateTime! update_date: DateTime! order_date: DateTime
  OrderStatus: OrderStatus OrderItems: [OrderItem]
}
type OrderItem {
  id: ID! product_name: String! product_code: String price: Float! quantity: Float!
  OrderItemType: OrderItemType
}
type OrderConnection { nodes: [Order] pageInfo: PageInfo! totalCount: Int! }

type Product { id: ID! name: String! Status: ProductStatus ProductClasses: [ProductClass] }
type ProductClass {
  id: ID! code: String stock: Float stock_unlimited: Boolean! visible: Boolean!
  ClassCategory1: ClassCategory ClassCategory2: ClassCategory
}
type ProductConnection { nodes: [Product] pageInfo: PageInfo! totalCount: Int! }
"""


def schema() -> GraphQLSchema:
    """The schema; times are read and written as PHP's DateTime::ATOM."""
    built = build_schema(SDL)
    moments = built.type_map["DateTime"]
    if isinstance(moments, GraphQLScalarType):
        moments.parse_value = _parse  # type: ignore[method-assign] # how graphql-core wants it
        moments.serialize = _serialize  # type: ignore[method-assign] # the same
    return built


def _parse(value: Any) -> datetime:
    wrong = f'DateTime parse error, please specify in "Y-m-d\\TH:i:sP".{value!r}'
    try:
        parsed = datetime.strptime(str(value), "%Y-%m-%dT%H:%M:%S%z")
    except ValueError as error:
        raise GraphQLError(wrong) from error
    if str(value).endswith("Z"):
        raise GraphQLError(wrong)
    return parsed


def _serialize(value: Any) -> str:
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else str(value)
