"""The part of Shopify's Admin schema 2026-10 that the sandbox serves, names and types unchanged."""

from __future__ import annotations

from graphql import GraphQLSchema, build_schema

SDL = """
schema { query: QueryRoot mutation: Mutation }

directive @idempotent(key: String!) on FIELD

scalar DateTime
scalar Decimal

interface Node { id: ID! }
interface DisplayableError { field: [String!] message: String! }
interface JobResult { done: Boolean! id: ID! }

type QueryRoot {
  inventoryItem(id: ID!): InventoryItem
  inventoryItems(
    after: String, first: Int, query: String, reverse: Boolean = false
  ): InventoryItemConnection!
  job(id: ID!): Job
  location(id: ID): Location
  locations(after: String, first: Int, reverse: Boolean = false): LocationConnection!
  node(id: ID!): Node
  nodes(ids: [ID!]!): [Node]!
  currentAppInstallation: AppInstallation!
  order(id: ID!): Order
  orders(
    after: String, first: Int, query: String, reverse: Boolean = false,
    sortKey: OrderSortKeys = PROCESSED_AT
  ): OrderConnection!
  productVariants(
    after: String, first: Int, query: String, reverse: Boolean = false,
    sortKey: ProductVariantSortKeys = ID
  ): ProductVariantConnection!
  productVariantsCount(limit: Int = 10000, query: String): Count
  publicApiVersions: [ApiVersion!]!
  shop: Shop!
}

type Mutation {
  inventoryAdjustQuantities(
    input: InventoryAdjustQuantitiesInput!
  ): InventoryAdjustQuantitiesPayload
  inventorySetQuantities(input: InventorySetQuantitiesInput!): InventorySetQuantitiesPayload
  orderCancel(
    notifyCustomer: Boolean = false, orderId: ID!, reason: OrderCancelReason!,
    refundMethod: OrderCancelRefundMethodInput, restock: Boolean!, staffNote: String = null
  ): OrderCancelPayload
}

enum CountPrecision { AT_LEAST EXACT }
enum CurrencyCode { JPY }
enum FulfillmentStatus { CANCELLED ERROR FAILURE OPEN PENDING SUCCESS }
enum OrderCancelReason { CUSTOMER DECLINED FRAUD INVENTORY OTHER STAFF }
enum OrderCancelStatus { FAILED STARTED SUCCEEDED }
enum OrderDisplayFinancialStatus {
  AUTHORIZED EXPIRED PAID PARTIALLY_PAID PARTIALLY_REFUNDED PENDING REFUNDED VOIDED
}
enum OrderDisplayFulfillmentStatus {
  FULFILLED IN_PROGRESS ON_HOLD OPEN PARTIALLY_FULFILLED PENDING_FULFILLMENT REQUEST_DECLINED
  RESTOCKED SCHEDULED UNFULFILLED
}
enum ProductVariantInventoryPolicy { CONTINUE DENY }
enum ProductVariantSortKeys { ID SKU }
enum OrderSortKeys { CREATED_AT ID PROCESSED_AT UPDATED_AT }
enum OrderCancelUserErrorCode {
  INTERNAL_ERROR INVALID NOT_FOUND NO_REFUND_PERMISSION
}
enum InventoryAdjustQuantitiesUserErrorCode {
  CHANGE_FROM_QUANTITY_STALE IDEMPOTENCY_CONCURRENT_REQUEST IDEMPOTENCY_KEY_PARAMETER_MISMATCH
  IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED INVALID_AVAILABLE_DOCUMENT INVALID_INVENTORY_ITEM
  INVALID_LOCATION INVALID_QUANTITY_NAME INVALID_QUANTITY_TOO_HIGH INVALID_QUANTITY_TOO_LOW
  INVALID_REASON INVALID_REFERENCE_DOCUMENT SERVICE_UNAVAILABLE
}
enum InventorySetQuantitiesUserErrorCode {
  CHANGE_FROM_QUANTITY_STALE IDEMPOTENCY_CONCURRENT_REQUEST IDEMPOTENCY_KEY_PARAMETER_MISMATCH
  IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED INVALID_INVENTORY_ITEM INVALID_LOCATION INVALID_NAME
  INVALID_QUANTITY_NEGATIVE INVALID_QUANTITY_TOO_HIGH INVALID_REASON INVALID_REFERENCE_DOCUMENT
  NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR
}

type PageInfo {
  endCursor: String hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String
}
type MoneyV2 { amount: Decimal! currencyCode: CurrencyCode! }
type MoneyBag { shopMoney: MoneyV2! }

type Location implements Node { id: ID! isActive: Boolean! name: String! }
type LocationEdge { cursor: String! node: Location! }
type LocationConnection { edges: [LocationEdge!]! nodes: [Location!]! pageInfo: PageInfo! }

type InventoryItem implements Node {
  createdAt: DateTime! duplicateSkuCount: Int! id: ID! sku: String tracked: Boolean!
  updatedAt: DateTime!
  inventoryLevel(includeInactive: Boolean = false, locationId: ID!): InventoryLevel
  inventoryLevels(after: String, first: Int, reverse: Boolean = false): InventoryLevelConnection!
}
type InventoryItemEdge { cursor: String! node: InventoryItem! }
type InventoryItemConnection {
  edges: [InventoryItemEdge!]! nodes: [InventoryItem!]! pageInfo: PageInfo!
}
type InventoryLevel implements Node {
  id: ID! isActive: Boolean! item: InventoryItem! location: Location! updatedAt: DateTime!
  quantities(names: [String!]!): [InventoryQuantity!]!
}
type InventoryLevelEdge { cursor: String! node: InventoryLevel! }
type InventoryLevelConnection {
  edges: [InventoryLevelEdge!]! nodes: [InventoryLevel!]! pageInfo: PageInfo!
}
type InventoryQuantity implements Node {
  id: ID! name: String! quantity: Int! updatedAt: DateTime
}

input InventoryChangeInput {
  changeFromQuantity: Int delta: Int! inventoryItemId: ID! ledgerDocumentUri: String
  locationId: ID!
}
input InventoryAdjustQuantitiesInput {
  changes: [InventoryChangeInput!]! name: String! reason: String! referenceDocumentUri: String
}
input InventoryQuantityInput {
  changeFromQuantity: Int inventoryItemId: ID! locationId: ID! quantity: Int!
}
input InventorySetQuantitiesInput {
  name: String! quantities: [InventoryQuantityInput!]! reason: String!
  referenceDocumentUri: String
}
type InventoryChange {
  delta: Int! item: InventoryItem ledgerDocumentUri: String location: Location name: String!
  quantityAfterChange: Int
}
type InventoryAdjustmentGroup implements Node {
  changes: [InventoryChange!]! createdAt: DateTime! id: ID! reason: String!
  referenceDocumentUri: String
}
type InventoryAdjustQuantitiesUserError implements DisplayableError {
  code: InventoryAdjustQuantitiesUserErrorCode field: [String!] message: String!
}
type InventoryAdjustQuantitiesPayload {
  inventoryAdjustmentGroup: InventoryAdjustmentGroup
  userErrors: [InventoryAdjustQuantitiesUserError!]!
}
type InventorySetQuantitiesUserError implements DisplayableError {
  code: InventorySetQuantitiesUserErrorCode field: [String!] message: String!
}
type InventorySetQuantitiesPayload {
  inventoryAdjustmentGroup: InventoryAdjustmentGroup
  userErrors: [InventorySetQuantitiesUserError!]!
}

type LineItem implements Node {
  currentQuantity: Int! id: ID! name: String! originalUnitPriceSet: MoneyBag! quantity: Int!
  sku: String unfulfilledQuantity: Int! variant: ProductVariant
}
type ProductVariant implements Node {
  barcode: String displayName: String! id: ID! inventoryItem: InventoryItem!
  inventoryPolicy: ProductVariantInventoryPolicy! sku: String
}
type ProductVariantEdge { cursor: String! node: ProductVariant! }
type ProductVariantConnection {
  edges: [ProductVariantEdge!]! nodes: [ProductVariant!]! pageInfo: PageInfo!
}
type Count { count: Int! precision: CountPrecision! }
type AccessScope { description: String! handle: String! }
type AppInstallation implements Node { accessScopes: [AccessScope!]! id: ID! }
type ApiVersion { displayName: String! handle: String! supported: Boolean! }
type Shop implements Node { id: ID! myshopifyDomain: String! name: String! }
type LineItemEdge { cursor: String! node: LineItem! }
type LineItemConnection { edges: [LineItemEdge!]! nodes: [LineItem!]! pageInfo: PageInfo! }
type FulfillmentLineItem implements Node { id: ID! lineItem: LineItem! quantity: Int }
type FulfillmentLineItemEdge { cursor: String! node: FulfillmentLineItem! }
type FulfillmentLineItemConnection {
  edges: [FulfillmentLineItemEdge!]! nodes: [FulfillmentLineItem!]! pageInfo: PageInfo!
}
type Fulfillment implements Node {
  createdAt: DateTime! id: ID! status: FulfillmentStatus!
  fulfillmentLineItems(
    after: String, first: Int, reverse: Boolean = false
  ): FulfillmentLineItemConnection!
}
type Order implements Node {
  cancelReason: OrderCancelReason cancelledAt: DateTime createdAt: DateTime!
  displayFinancialStatus: OrderDisplayFinancialStatus
  displayFulfillmentStatus: OrderDisplayFulfillmentStatus!
  fulfillments(first: Int): [Fulfillment!]!
  id: ID!
  lineItems(after: String, first: Int, reverse: Boolean = false): LineItemConnection!
  name: String! processedAt: DateTime! updatedAt: DateTime!
}
type OrderEdge { cursor: String! node: Order! }
type OrderConnection { edges: [OrderEdge!]! nodes: [Order!]! pageInfo: PageInfo! }

input OrderCancelRefundMethodInput { originalPaymentMethodsRefund: Boolean }
type Job { done: Boolean! id: ID! }
type OrderCancelUserError implements DisplayableError {
  code: OrderCancelUserErrorCode field: [String!] message: String!
}
type OrderCancelJobResult implements JobResult & Node {
  done: Boolean! errors: [OrderCancelUserError!]! id: ID! order: Order status: OrderCancelStatus!
}
type OrderCancelPayload {
  job: Job jobResult: OrderCancelJobResult orderCancelUserErrors: [OrderCancelUserError!]!
}
"""


def schema() -> GraphQLSchema:
    """The schema object; objects resolve by their dict's keys, interfaces by `__typename`."""
    return build_schema(SDL)
