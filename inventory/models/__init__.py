"""The tables, one file per subject. Joined by id in queries; there are no relationships."""

from inventory.models.base import Base
from inventory.models.buyers import BuyerMessage, BuyerRequest
from inventory.models.buying import AlertMessage, BuyingTerms, SkuPace, Supplier, Team
from inventory.models.channels import Channel, ChannelSecret, Listing, Push, PushRow, StockReading
from inventory.models.desk import Cancellation, Mitigation, Oversell, OversellStep, PenaltyEntry
from inventory.models.house import ApiKey, Audit, Lease, Switch
from inventory.models.notices import Alert, AlertRule, Delivery, Message, WebhookEndpoint
from inventory.models.onboarding import HistoryReading, SeenListing
from inventory.models.orders import InboundEvent, OrderLine, OrderPart, SalesOrder
from inventory.models.reconcile import Drift, EarlySale, Resync, ResyncMark, Rotation
from inventory.models.stock import (
    Fact,
    KitPart,
    Location,
    Sku,
    StaleSku,
    StockLevel,
    StockMovement,
)
from inventory.models.warehouse import (
    Carried,
    Checkpoint,
    InboundSupply,
    Reservation,
    Seal,
    StockCount,
    Transfer,
)

__all__ = [
    "Alert",
    "AlertMessage",
    "AlertRule",
    "ApiKey",
    "Audit",
    "Base",
    "BuyerMessage",
    "BuyerRequest",
    "BuyingTerms",
    "Cancellation",
    "Carried",
    "Channel",
    "ChannelSecret",
    "Checkpoint",
    "Delivery",
    "Drift",
    "EarlySale",
    "Fact",
    "HistoryReading",
    "InboundEvent",
    "InboundSupply",
    "KitPart",
    "Lease",
    "Listing",
    "Location",
    "Message",
    "Mitigation",
    "OrderLine",
    "OrderPart",
    "Oversell",
    "OversellStep",
    "PenaltyEntry",
    "Push",
    "PushRow",
    "Reservation",
    "Resync",
    "ResyncMark",
    "Rotation",
    "SalesOrder",
    "Seal",
    "SeenListing",
    "Sku",
    "SkuPace",
    "StaleSku",
    "StockCount",
    "StockLevel",
    "StockMovement",
    "StockReading",
    "Supplier",
    "Switch",
    "Team",
    "Transfer",
    "WebhookEndpoint",
]
