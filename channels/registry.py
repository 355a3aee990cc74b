"""Which adapter serves which kind of marketplace, and what it must be told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from channels.amazon import adapter as amazon
from channels.base import Adapter, Rejected
from channels.eccube import adapter as eccube
from channels.keep import Means
from channels.rakuten import adapter as rakuten
from channels.shopify import adapter as shopify
from channels.yahoo import adapter as yahoo
from inventory.vocabulary import Kind


class Recipe(Struct, frozen=True, kw_only=True):
    """How an adapter is made: the shapes of what it is told, and its builder."""

    settings: type[Struct]
    credentials: type[Struct]
    build: Callable[..., Adapter]


RECIPES: Mapping[str, Recipe] = {
    Kind.RAKUTEN: Recipe(
        settings=rakuten.RakutenSettings,
        credentials=rakuten.RakutenCredentials,
        build=rakuten.build,
    ),
    Kind.YAHOO: Recipe(
        settings=yahoo.YahooSettings, credentials=yahoo.YahooCredentials, build=yahoo.build
    ),
    Kind.AMAZON: Recipe(
        settings=amazon.AmazonSettings, credentials=amazon.AmazonCredentials, build=amazon.build
    ),
    Kind.SHOPIFY: Recipe(
        settings=shopify.ShopifySettings,
        credentials=shopify.ShopifyCredentials,
        build=shopify.build,
    ),
    Kind.ECCUBE: Recipe(
        settings=eccube.EccubeSettings, credentials=eccube.EccubeCredentials, build=eccube.build
    ),
}


def build(
    kind: str,
    *,
    channel_id: int,
    base_url: str,
    settings: dict[str, Any],
    credentials: dict[str, Any],
    means: Means,
) -> Adapter:
    """The adapter of one connected shop. Raises `Rejected`, naming what is wrong."""
    recipe = _recipe(kind)
    return recipe.build(
        channel_id=channel_id,
        base_url=base_url,
        settings=_told(settings, recipe.settings, "settings"),
        credentials=_told(credentials, recipe.credentials, "credentials"),
        means=means,
    )


def check(kind: str, settings: dict[str, Any], credentials: dict[str, Any]) -> None:
    """Raises `Rejected` when a shop cannot be connected with these."""
    recipe = _recipe(kind)
    _told(settings, recipe.settings, "settings")
    _told(credentials, recipe.credentials, "credentials")


def _recipe(kind: str) -> Recipe:
    recipe = RECIPES.get(kind)
    if recipe is None:
        raise Rejected(f"there is no adapter for {kind!r}")
    return recipe


def _told(given: dict[str, Any], shape: type[Struct], what: str) -> Struct:
    try:
        return msgspec.convert(given, type=shape)
    except msgspec.ValidationError as error:
        # msgspec names the member and the type wanted, never the value: safe for credentials.
        raise Rejected(f"{what}: {error}") from None
