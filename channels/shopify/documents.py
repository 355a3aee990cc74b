"""Every GraphQL document that is sent to Shopify, with what it may cost in points.

Costs follow Shopify's rules (rate limits of the GraphQL Admin API): an object 1, a scalar 0, a
list as many times as asked for, a mutation 10 (UNCONFIRMED).
"""

from __future__ import annotations

from collections.abc import Sequence

ORDERS_PAGE = 100
CHANGED_AT_ONCE = 10
LINES_IN_LIST = 10
LINES_PAGE = 50
SHIPMENTS = 10
SHIPMENT_LINES = 40
ITEMS_PAGE = 50
VARIANTS_PAGE = 50
HISTORY_PAGE = 10
MUTATION_POINTS = 10

_LINE = """id sku quantity currentQuantity unfulfilledQuantity variant { id }
        originalUnitPriceSet { shopMoney { amount currencyCode } }"""
_LINE_POINTS = 4
_ORDER = "id createdAt updatedAt cancelledAt cancelReason displayFulfillmentStatus"

# The list names what has changed, one point an order; only those are then read with their lines.
ORDERS = f"""query Orders($query: String!, $after: String) {{
  orders(first: {ORDERS_PAGE}, after: $after, query: $query, sortKey: UPDATED_AT) {{
    nodes {{ id updatedAt cancelledAt displayFulfillmentStatus }}
    pageInfo {{ hasNextPage endCursor }}
  }}
}}"""
ORDERS_POINTS = ORDERS_PAGE

CHANGED = f"""query Changed($ids: [ID!]!) {{
  nodes(ids: $ids) {{
    ... on Order {{
      {_ORDER}
      lineItems(first: {LINES_IN_LIST}) {{
        nodes {{ {_LINE} }}
        pageInfo {{ hasNextPage endCursor }}
      }}
    }}
  }}
}}"""
CHANGED_POINTS_EACH = 1 + LINES_IN_LIST * _LINE_POINTS

# Past orders come with their lines at once; few a page, so that much is left for live calls.
HISTORY = f"""query History($query: String!, $after: String) {{
  orders(first: {HISTORY_PAGE}, after: $after, query: $query, sortKey: CREATED_AT) {{
    nodes {{
      {_ORDER}
      lineItems(first: {LINES_IN_LIST}) {{
        nodes {{ {_LINE} }}
        pageInfo {{ hasNextPage endCursor }}
      }}
    }}
    pageInfo {{ hasNextPage endCursor }}
  }}
}}"""
HISTORY_POINTS = HISTORY_PAGE * CHANGED_POINTS_EACH

ORDER = f"""query Order($id: ID!, $after: String) {{
  order(id: $id) {{
    {_ORDER}
    lineItems(first: {LINES_PAGE}, after: $after) {{
      nodes {{ {_LINE} }}
      pageInfo {{ hasNextPage endCursor }}
    }}
  }}
}}"""
ORDER_POINTS = 1 + LINES_PAGE * _LINE_POINTS

SHIPPED = f"""query Shipped($id: ID!) {{
  order(id: $id) {{
    fulfillments(first: {SHIPMENTS}) {{
      status
      fulfillmentLineItems(first: {SHIPMENT_LINES}) {{
        nodes {{ quantity lineItem {{ id }} }}
        pageInfo {{ hasNextPage endCursor }}
      }}
    }}
  }}
}}"""
SHIPPED_POINTS = 1 + SHIPMENTS * (1 + SHIPMENT_LINES * 2)

ITEMS = f"""query Items($query: String!, $location: ID!, $after: String) {{
  inventoryItems(first: {ITEMS_PAGE}, after: $after, query: $query) {{
    nodes {{
      id sku
      inventoryLevel(locationId: $location) {{ quantities(names: ["available"]) {{ quantity }} }}
    }}
    pageInfo {{ hasNextPage endCursor }}
  }}
}}"""
ITEMS_POINTS = ITEMS_PAGE * 3

LOCATIONS = "query Locations { locations(first: 10) { nodes { id isActive } } }"
LOCATIONS_POINTS = 10

VARIANTS = f"""query Variants($location: ID!, $after: String) {{
  productVariants(first: {VARIANTS_PAGE}, after: $after, sortKey: ID) {{
    nodes {{
      sku barcode displayName inventoryPolicy
      inventoryItem {{
        tracked
        inventoryLevel(locationId: $location) {{ quantities(names: ["available"]) {{ quantity }} }}
      }}
    }}
    pageInfo {{ hasNextPage endCursor }}
  }}
}}"""
VARIANTS_POINTS = VARIANTS_PAGE * 4

# Without `limit: null` it stops at 10,000.
VARIANTS_COUNT = "query VariantsCount { productVariantsCount(limit: null) { count precision } }"
VARIANTS_COUNT_POINTS = 1

STANDING = """query Standing {
  shop { myshopifyDomain }
  currentAppInstallation { accessScopes { handle } }
  publicApiVersions { handle supported }
}"""
STANDING_POINTS = 4

# `restock: false` stands here and not in a variable: a unit that was not there must never come
# back as available.
CANCEL = """mutation Cancel(
  $id: ID!, $reason: OrderCancelReason!, $notify: Boolean!, $refund: Boolean!, $note: String
) {
  orderCancel(
    orderId: $id, reason: $reason, restock: false, notifyCustomer: $notify,
    refundMethod: {originalPaymentMethodsRefund: $refund}, staffNote: $note
  ) {
    job { id }
    jobResult { id }
    orderCancelUserErrors { code message }
  }
}"""

CANCEL_RESULT = """query CancelResult($id: ID!) {
  node(id: $id) { ... on OrderCancelJobResult { status errors { code message } } }
}"""
CANCEL_RESULT_POINTS = 2


def push(relative: Sequence[bool]) -> str:
    """A mutation with one field for each row: `p0`, `p1`, … with inputs `i0` and keys `k0`.

    A relative row adjusts, an absolute one sets. Each field has an idempotency key of its own, so
    that each row stands or falls, and may be sent again, by itself.
    """
    declared, fields = [], []
    for number, adjusts in enumerate(relative):
        name = "inventoryAdjustQuantities" if adjusts else "inventorySetQuantities"
        kind = "InventoryAdjustQuantitiesInput" if adjusts else "InventorySetQuantitiesInput"
        declared.append(f"$i{number}: {kind}!, $k{number}: String!")
        fields.append(
            f"  p{number}: {name}(input: $i{number}) @idempotent(key: $k{number}) "
            "{ userErrors { code message } }"
        )
    return "\n".join([f"mutation Push({', '.join(declared)}) {{", *fields, "}"])
