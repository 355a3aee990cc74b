"""Errors that say who must act. They carry a stable code and know nothing of HTTP."""

from __future__ import annotations


class InventoryError(Exception):
    """Something that a caller, a person or a setting must put right. The text is safe to show."""

    code = "inventory_error"


class SettingWrong(InventoryError):
    """A setting is missing or wrong; the person who runs the house must change it."""

    code = "setting_wrong"

    def __init__(self, name: str, *, expected: str, found: str | None) -> None:
        shown = "" if found is None else ", found nothing" if not found else ", found another value"
        super().__init__(f"{name}: expected {expected}{shown}")
        self.name = name


class NotFound(InventoryError):
    """There is no such thing."""

    code = "not_found"


class UnknownSku(NotFound):
    """No SKU has this code."""

    code = "unknown_sku"


class UnknownLocation(NotFound):
    """No location has this code."""

    code = "unknown_location"


class UnknownListing(NotFound):
    """The channel has no listing of this channel SKU; map it, then replay the event."""

    code = "unknown_listing"


class AlreadyExists(InventoryError):
    """Something of this name is there already."""

    code = "already_exists"


class ContentDiffers(InventoryError):
    """The name was used before for something else; it was kept for a person to see (L4)."""

    code = "content_differs"


class InsufficientStock(InventoryError):
    """Fewer units can be promised than were asked for."""

    code = "insufficient_stock"


class NotPermitted(InventoryError):
    """The key is missing, wrong, revoked, or lacks the scope."""

    code = "not_permitted"


class WrongState(InventoryError):
    """The thing is not in a state in which this can be done."""

    code = "wrong_state"


class BadInput(InventoryError):
    """The request cannot be understood or is outside the limits."""

    code = "bad_input"


class TooBusy(InventoryError):
    """More is waiting than may wait; the same may be told again after `retry_seconds`."""

    code = "too_busy"

    def __init__(self, detail: str, retry_seconds: int) -> None:
        super().__init__(detail)
        self.retry_seconds = retry_seconds


class LedgerUnavailable(InventoryError):
    """The database was lost; what was told is recorded once or not at all, so tell it again."""

    code = "ledger_unavailable"
