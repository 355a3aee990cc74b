"""The parts of Shopify's answers about the shop itself: its variants, the app, the API."""

from __future__ import annotations

from channels.shopify.wire import Body, Level, Page


class VariantItem(Body):
    """The inventory item behind a variant, and its number at our location."""

    tracked: bool
    inventory_level: Level | None


class Variant(Body):
    """A variant with what the shop itself wrote on it; `inventory_policy` DENY or CONTINUE."""

    sku: str | None
    barcode: str | None
    display_name: str
    inventory_policy: str
    inventory_item: VariantItem


class VariantsAnswer(Body):
    """One page of the shop's variants."""

    product_variants: Page[Variant]


class Count(Body):
    """How many there are; `precision` EXACT or AT_LEAST."""

    count: int
    precision: str


class VariantsCountAnswer(Body):
    """How many variants the shop has, where it tells."""

    product_variants_count: Count | None


class Shop(Body):
    """The shop that the token opens."""

    myshopify_domain: str


class AccessScope(Body):
    """One thing that the app may do."""

    handle: str


class AppInstallation(Body):
    """The app in this shop."""

    access_scopes: list[AccessScope]


class ApiVersion(Body):
    """One version of the API."""

    handle: str
    supported: bool


class StandingAnswer(Body):
    """The shop, what the app may do in it, and the versions that are alive."""

    shop: Shop
    current_app_installation: AppInstallation
    public_api_versions: list[ApiVersion]
