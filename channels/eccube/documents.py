"""Every GraphQL document that is sent to EC-CUBE.

The arguments are the fields of the admin's search forms, and `page` and `limit` (Web API plugin,
SearchFormQuery); fields are those of its allow-list (services.yaml).
"""

from __future__ import annotations

ORDERS_PAGE = 100
PRODUCTS_PAGE = 50
SEARCH_PAGE = 50

_ORDER = """id order_date create_date update_date OrderStatus { id }
      OrderItems { product_code quantity price OrderItemType { id } }"""
_CLASSES = "ProductClasses { code stock stock_unlimited visible }"

ORDERS = f"""query Orders(
  $since: DateTime, $until: DateTime, $changed: DateTime, $status: [String], $page: Int
) {{
  orders(
    order_datetime_start: $since, order_datetime_end: $until, update_datetime_start: $changed,
    status: $status, page: $page, limit: {ORDERS_PAGE}
  ) {{
    nodes {{
      {_ORDER}
    }}
    pageInfo {{ hasNextPage }}
  }}
}}"""

ORDER = f"query Order($id: ID!) {{ order(id: $id) {{ {_ORDER} }} }}"

PRODUCTS = f"""query Products($page: Int) {{
  products(page: $page, limit: {PRODUCTS_PAGE}) {{
    totalCount
    nodes {{
      name Status {{ id }}
      ProductClasses {{
        code stock stock_unlimited visible ClassCategory1 {{ name }} ClassCategory2 {{ name }}
      }}
    }}
    pageInfo {{ hasNextPage }}
  }}
}}"""

STANDING = "query Standing { products(page: 1, limit: 1) { totalCount nodes { id } } }"


def search(count: int) -> str:
    """A query with one search for each code: `p0`, `p1`, … with codes `c0` and pages `n0`."""
    declared = ", ".join(f"$c{number}: String, $n{number}: Int" for number in range(count))
    fields = "\n".join(
        f"  p{number}: products(id: $c{number}, page: $n{number}, limit: {SEARCH_PAGE}) "
        f"{{ nodes {{ name {_CLASSES} }} pageInfo {{ hasNextPage }} }}"
        for number in range(count)
    )
    return f"query Search({declared}) {{\n{fields}\n}}"


def push(count: int) -> str:
    """A mutation with one field for each number: `p0`, `p1`, … with codes `c0` and stocks `s0`."""
    declared = ", ".join(f"$c{number}: String!, $s{number}: Int" for number in range(count))
    fields = "\n".join(
        f"  p{number}: updateProductStock"
        f"(code: $c{number}, stock: $s{number}, stock_unlimited: false) {{ code stock }}"
        for number in range(count)
    )
    return f"mutation Push({declared}) {{\n{fields}\n}}"
