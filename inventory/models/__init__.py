"""The tables, one file per subject. Joined by id in queries; there are no relationships."""

from inventory.models.base import Base
from inventory.models.channels import Channel, Listing, Push, PushRow, StockReading
from inventory.models.desk import Cancellation, Oversell, OversellStep, PenaltyEntry
from inventory.models.house import ApiKey, Audit, Lease, Switch
from inventory.models.notices import Alert, AlertRule, Delivery, WebhookEndpoint
from inventory.models.orders import InboundEvent, OrderLine, OrderPart, SalesOrder
from inventory.models.stock import Fact, Location, Sku, StaleSku, StockLevel, StockMovement

__all__ = [
    "Alert",
    "AlertRule",
    "ApiKey",
    "Audit",
    "Base",
    "Cancellation",
    "Channel",
    "Delivery",
    "Fact",
    "InboundEvent",
    "Lease",
    "Listing",
    "Location",
    "OrderLine",
    "OrderPart",
    "Oversell",
    "OversellStep",
    "PenaltyEntry",
    "Push",
    "PushRow",
    "SalesOrder",
    "Sku",
    "StaleSku",
    "StockLevel",
    "StockMovement",
    "StockReading",
    "Switch",
    "WebhookEndpoint",
]
