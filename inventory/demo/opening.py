"""Before the night: connects the shops, lists the SKUs, receives the stock, sets the alert."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from inventory.demo.shop import ALERT_LEVEL, KINDS, Article

# What an own store pays its card company; it is not returned when an order is given up.
METRICS = {"shopify": {"fee_percent": 3.4}}


class Api:
    """Calls of our own REST API or of the sandbox's own door; any refusal ends the demo."""

    def __init__(self, base_url: str, key: str | None = None) -> None:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        self._client = httpx.AsyncClient(
            base_url=base_url, headers=headers, timeout=30, trust_env=False
        )

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """Send JSON and return what came back. Raises `RuntimeError` with the refusal's text."""
        response = await self._client.request(method, path, json=body)
        if response.is_error:
            raise RuntimeError(f"{method} {path}: {response.status_code} {response.text[:500]}")
        return response.json() if response.content else None

    async def get(self, path: str) -> Any:
        """What is at an address, also when it answers 503."""
        return (await self._client.get(path)).json()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


async def put_up(sandbox: Api, articles: Sequence[Article]) -> None:
    """List every article at its marketplaces, as yet with nothing displayed."""
    for kind in KINDS:
        listings = [
            {"key": article.listings[kind], "quantity": 0, "price": article.price}
            for article in articles
            if kind in article.listings
        ]
        await sandbox.call("POST", f"/_sandbox/{kind}/listings", listings)


async def connect(
    api: Api,
    sandbox: Api,
    *,
    metrics: Mapping[str, Mapping[str, Any]] = METRICS,
    rules: Mapping[str, Any] | None = None,
) -> None:
    """Connect the four shops; the desk may give up orders by itself on all of them.

    `rules` are what else every channel is told.
    """
    known = await sandbox.get("/_sandbox/credentials")
    for kind in KINDS:
        channel = {"code": kind, "kind": kind, "desk_policy": "auto", "live": True, **known[kind]}
        channel["metrics"] = metrics.get(kind, {})
        await api.call("POST", "/v1/channels", channel | dict(rules or {}))


async def stock_up(api: Api, articles: Sequence[Article]) -> None:
    """Create the SKUs with their safety stock, receive their units, map their listings."""
    for article in articles:
        sku = {"code": article.sku, "name": article.name, "safety_stock": article.safety_stock}
        await api.call("POST", "/v1/skus", sku)
        received = {"kind": "receive", "ref": f"delivery-{article.sku}", "sku": article.sku}
        await api.call("POST", "/v1/movements", received | {"quantity": article.units})
    for kind in KINDS:
        listings = [
            {"channel_sku": article.listings[kind], "sku": article.sku}
            for article in articles
            if kind in article.listings
        ]
        await api.call("PUT", f"/v1/channels/{kind}/listings", {"listings": listings})


async def watch(api: Api, address: str) -> str:
    """Tell the buyers' team when a SKU runs low; the endpoint's signing secret."""
    await api.call("POST", "/v1/alert-rules", {"level": ALERT_LEVEL})
    endpoint = await api.call("POST", "/v1/webhook-endpoints", {"url": address})
    return str(endpoint["secret"])
