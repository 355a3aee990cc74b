"""The shop of the demo: its SKUs, how each marketplace calls them, and what lies in the house."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from msgspec import Struct

KINDS = ("rakuten", "yahoo", "amazon", "shopify")
FAMILIES = ("mug", "tee", "bag", "pen", "cap", "lamp")
COLOURS = ("red", "blue", "black", "white", "green")
HOT = "MUG-RED"
HOT_UNITS = 36
UNITS = (24, 30, 40, 60)
DAMAGED_UNITS = 12
PRICES = (980, 1480, 1980, 2980)
SAFETY_STOCK = 1
HOT_SAFETY_STOCK = 3
ALERT_LEVEL = 15
# The hard night: what really lies on these shelves, whatever the books say.
ON_SHELF = {"MUG-RED": 5, "TEE-RED": 5, "LAMP-BLACK": 5}


class Article(Struct, frozen=True, kw_only=True):
    """One SKU, the units that lie in the house at first, and its listings: kind → channel SKU."""

    sku: str
    name: str
    units: int
    price: int
    safety_stock: int
    listings: dict[str, str]
    damaged: bool = False


def articles() -> list[Article]:
    """Thirty SKUs listed on all four channels, and one more for each channel alone."""
    return [*_everywhere(), *_alone()]


def _everywhere() -> Iterator[Article]:
    for number, (family, colour) in enumerate(product(FAMILIES, COLOURS)):
        sku = f"{family}-{colour}".upper()
        yield Article(
            sku=sku,
            name=f"{family} {colour}",
            units=HOT_UNITS if sku == HOT else UNITS[number % len(UNITS)],
            price=PRICES[number % len(PRICES)],
            safety_stock=HOT_SAFETY_STOCK if sku == HOT else SAFETY_STOCK,
            listings={kind: channel_sku(kind, family, colour) for kind in KINDS},
        )


def _alone() -> Iterator[Article]:
    for kind in KINDS:
        yield Article(
            sku=f"VASE-{kind}".upper(),
            name=f"vase, sold on {kind} only",
            units=DAMAGED_UNITS,
            price=3980,
            safety_stock=SAFETY_STOCK,
            listings={kind: channel_sku(kind, "vase", kind)},
            damaged=True,
        )


def channel_sku(kind: str, family: str, variant: str) -> str:
    """How a marketplace calls one of the SKUs; each has its own way."""
    return {
        "rakuten": f"{family}-001/{family}-{variant}",
        "yahoo": f"{family}001:{variant}",
        "amazon": f"{family}-{variant}-JP".upper(),
        "shopify": f"hk_{family}_{variant}",
    }[kind]
