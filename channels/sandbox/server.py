"""Puts the marketplaces, their front doors and the control routes into one application."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.handlers import ASGIRouteHandler

from channels.sandbox import amazon, eccube, rakuten, shopify, yahoo
from channels.sandbox.clock import Clock
from channels.sandbox.control import Control, Sandbox
from channels.sandbox.faults import Faults
from channels.sandbox.market import Market, Services
from channels.sandbox.wire import Front

# Each marketplace's module adds its builder here; the key is its kind and its path (/rakuten).
MARKETS: Mapping[str, Callable[..., Market]] = {
    "rakuten": rakuten.build,
    "yahoo": yahoo.build,
    "amazon": amazon.build,
    "shopify": shopify.build,
    "eccube": eccube.build,
}


def create_app(
    *,
    seed: int = 1,
    clock: Clock | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> Litestar:
    """The whole sandbox. `options` go to a marketplace's builder by its kind.

    The marketplaces are at `app.state.sandbox` for tests in the same process.
    """
    clock = clock or Clock()
    markets = {}
    for kind, build in MARKETS.items():
        dice = random.Random(f"{seed}/{kind}")
        services = Services(clock=clock, faults=Faults(dice), rng=dice)
        markets[kind] = build(services, **(options or {}).get(kind, {}))
    sandbox = Sandbox(markets, clock=clock, seed=seed)

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncGenerator[None]:
        yield
        await sandbox.close()

    return Litestar(
        route_handlers=[Control, *(_mounted(market) for market in markets.values())],
        dependencies={"sandbox": Provide(lambda: sandbox, sync_to_thread=False)},
        state=State({"sandbox": sandbox}),
        lifespan=[lifespan],
        openapi_config=None,
        logging_config=None,
    )


def _mounted(market: Market) -> ASGIRouteHandler:
    mount = f"/{market.kind}"
    front = Front(mount, market)

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        await front(scope, receive, send)

    return ASGIRouteHandler(mount, is_mount=True, copy_scope=False)(serve)
