"""The sandbox's own door under /_sandbox: shop, ship, break things, and read the books."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from typing import Any

from litestar import Controller, Request, get, post, put
from litestar.di import NamedDependency
from litestar.exceptions import ClientException, HTTPException, NotFoundException
from litestar.params import FromPath, JSONBody
from msgspec import Struct

from channels.sandbox.clock import Clock, stamp
from channels.sandbox.faults import Fault
from channels.sandbox.market import Market, NotAllowed, NotDisplayed
from channels.sandbox.records import order_book
from channels.sandbox.shoppers import Night, Shoppers

CONFLICT = 409
UNITS_MAX = 999_999_999
OFFSET_SECONDS_MAX = 10 * 366 * 86_400.0

AnyRequest = Request[Any, Any, Any]


class Sandbox:
    """All marketplaces of one process, with the night that is on, if any."""

    def __init__(self, markets: Mapping[str, Market], *, clock: Clock, seed: int) -> None:
        self.markets = markets
        self.clock = clock
        self.seed = seed
        self._shoppers: Shoppers | None = None
        self._night: asyncio.Task[None] | None = None

    def market(self, name: str) -> Market:
        """One marketplace. Raises NotFoundException for a name that is not here."""
        if name not in self.markets:
            raise NotFoundException(f"no marketplace {name!r}; here: {sorted(self.markets)}")
        return self.markets[name]

    def open_night(self, night: Night) -> None:
        """Let shoppers in. Raises HTTPException (409) while another night is on."""
        if self._shoppers is not None and self._shoppers.running:
            raise HTTPException("a night is on already", status_code=CONFLICT)
        shoppers = Shoppers(night, self.markets)
        self._shoppers = shoppers
        self._night = asyncio.get_running_loop().create_task(shoppers.run())

    def night(self) -> dict[str, object]:
        """How the night goes; `running` false when there was none."""
        if self._night is not None and self._night.done():
            self._night.result()  # a crash of the shoppers must not pass for a quiet night
        return {"running": False} if self._shoppers is None else self._shoppers.report()

    async def close(self) -> None:
        """Send the shoppers home, and close the marketplaces."""
        if self._night is not None and not self._night.done():
            self._night.cancel()
            await asyncio.gather(self._night, return_exceptions=True)
        for market in self.markets.values():
            await market.aclose()


House = NamedDependency[Sandbox]


class NewListing(Struct, kw_only=True, forbid_unknown_fields=True):
    """A listing to put up: `quantity` units displayed at first, `price` whole yen."""

    key: str
    quantity: int = 0
    price: int = 1000
    by_channel: bool = False


class Wanted(Struct, kw_only=True, forbid_unknown_fields=True):
    """One line of a purchase."""

    key: str
    quantity: int = 1


class Purchase(Struct, kw_only=True, forbid_unknown_fields=True):
    """What a shopper buys now."""

    lines: list[Wanted]
    by_channel: bool = False


class HandEdit(Struct, kw_only=True, forbid_unknown_fields=True):
    """A number typed in by staff on the marketplace's own screen; `closed` is left when None."""

    key: str
    quantity: int
    closed: bool | None = None


class Hook(Struct, kw_only=True, forbid_unknown_fields=True):
    """Where a marketplace sends its webhooks."""

    url: str | None


class Offset(Struct, kw_only=True, forbid_unknown_fields=True):
    """How far the sandbox's clock is ahead of the machine's, in seconds."""

    offset_seconds: float


class Control(Controller):
    """Routes for whoever runs the sandbox: demo, tests, training. Meant for loopback only."""

    path = "/_sandbox"

    @get("/credentials", sync_to_thread=False)
    def credentials(self, request: AnyRequest, sandbox: House) -> dict[str, Any]:
        """Per marketplace: base_url, and the settings and credentials that a client must use."""
        base = str(request.base_url).rstrip("/")
        return {
            name: {
                "base_url": f"{base}/{name}",
                "settings": {
                    key: value.replace("{base_url}", f"{base}/{name}")
                    if isinstance(value, str)
                    else value
                    for key, value in market.settings.items()
                },
                "credentials": market.credentials,
            }
            for name, market in sandbox.markets.items()
        }

    @get("/books", sync_to_thread=False)
    def books(self, sandbox: House) -> dict[str, Any]:
        """Everything that every marketplace knows, at one moment."""
        return {
            "now": stamp(sandbox.clock.now()),
            "seed": sandbox.seed,
            "markets": {name: market.books() for name, market in sandbox.markets.items()},
            "night": sandbox.night(),
        }

    @get("/calls", sync_to_thread=False)
    def calls(self, sandbox: House) -> dict[str, dict[str, dict[str, int]]]:
        """Per marketplace and limit what was used, permitted and refused; a small answer."""
        return {name: market.calls() for name, market in sandbox.markets.items()}

    @post("/night", status_code=202, sync_to_thread=False)
    def open_night(self, data: JSONBody[Night], sandbox: House) -> dict[str, object]:
        """Let the shoppers of a night in; 409 while one is on."""
        unknown = sorted(({*data.weights, *data.hot}) - set(sandbox.markets))
        if unknown:
            raise ClientException(f"no such marketplace: {', '.join(unknown)}")
        try:
            sandbox.open_night(data)
        except ValueError as error:
            raise ClientException(str(error)) from error
        return sandbox.night()

    @get("/night", sync_to_thread=False)
    def night(self, sandbox: House) -> dict[str, object]:
        """Whether shoppers are about, and what they bought or missed."""
        return sandbox.night()

    @post("/clock", status_code=200, sync_to_thread=False)
    def move_clock(self, data: JSONBody[Offset], sandbox: House) -> dict[str, Any]:
        """Move the sandbox's time of day; limits do not notice."""
        if not math.isfinite(data.offset_seconds) or (
            abs(data.offset_seconds) > OFFSET_SECONDS_MAX
        ):
            raise ClientException("offset_seconds must be finite and within ten years")
        sandbox.clock.move(data.offset_seconds)
        return {"now": stamp(sandbox.clock.now())}

    @post("/{name:str}/listings", sync_to_thread=False)
    def put_up(
        self, name: FromPath[str], data: JSONBody[list[NewListing]], sandbox: House
    ) -> dict[str, int]:
        """Put listings up (or up anew)."""
        market = sandbox.market(name)
        for new in data:
            _check_units(new.quantity, least=0)
            _check_units(new.price, least=0)
            try:
                market.list_item(new.key, new.quantity, price=new.price, by_channel=new.by_channel)
            except ValueError as error:
                raise ClientException(str(error)) from error
        return {"listings": len(market.listings)}

    @post("/{name:str}/orders", sync_to_thread=False)
    def buy(self, name: FromPath[str], data: JSONBody[Purchase], sandbox: House) -> dict[str, Any]:
        """A shopper buys now; 409 when that is not displayed."""
        if not data.lines:
            raise ClientException("a purchase has at least one line")
        try:
            order = sandbox.market(name).place(
                [(line.key, line.quantity) for line in data.lines], by_channel=data.by_channel
            )
        except NotDisplayed as error:
            raise HTTPException(str(error), status_code=CONFLICT) from error
        return order_book(order)

    @post("/{name:str}/orders/{ref:str}/{action:str}", status_code=200, sync_to_thread=False)
    def act(
        self, name: FromPath[str], ref: FromPath[str], action: FromPath[str], sandbox: House
    ) -> dict[str, Any]:
        """`ship`, `buyer-cancel`, `ask-cancel`, `marketplace-cancel` or one of the marketplace's.

        409 when it cannot be.
        """
        market = sandbox.market(name)
        actions = {
            "ship": market.ship,
            "buyer-cancel": market.buyer_cancel,
            "ask-cancel": market.ask_cancel,
            "marketplace-cancel": market.marketplace_cancel,
            **market.actions,
        }
        if action not in actions or ref not in market.orders:
            raise NotFoundException(f"no action {action!r} on order {ref!r}")
        try:
            return order_book(actions[action](ref))
        except NotAllowed as error:
            raise HTTPException(str(error), status_code=CONFLICT) from error

    @post("/{name:str}/hand-edit", status_code=200, sync_to_thread=False)
    def hand_edit(
        self, name: FromPath[str], data: JSONBody[HandEdit], sandbox: House
    ) -> dict[str, Any]:
        """Staff type a number (or open and close the listing) on the marketplace's own screen."""
        market = sandbox.market(name)
        _check_units(data.quantity, least=0)
        if data.key not in market.listings:
            raise NotFoundException(f"no listing {data.key!r}")
        market.set_displayed(data.key, data.quantity, "hand")
        if data.closed is not None:
            market.listings[data.key].closed = data.closed
        return {"key": data.key, "displayed": market.listings[data.key].displayed}

    @put("/{name:str}/hook", sync_to_thread=False)
    def set_hook(self, name: FromPath[str], data: JSONBody[Hook], sandbox: House) -> Hook:
        """Send the marketplace's webhooks to this address from now on; null sends none."""
        hooks = sandbox.market(name).hooks
        if hooks is None:
            raise ClientException(f"{name} sends no webhooks")
        hooks.url = data.url
        return data

    @get("/{name:str}/hook", sync_to_thread=False)
    def hook(self, name: FromPath[str], sandbox: House) -> dict[str, Any]:
        """Where webhooks go, and the last 1,000 attempts with their answers."""
        hooks = sandbox.market(name).hooks
        return {"url": hooks.url if hooks else None, "sent": hooks.sent if hooks else []}

    @put("/{name:str}/faults", sync_to_thread=False)
    def set_faults(
        self, name: FromPath[str], data: JSONBody[dict[str, float | bool | Fault]], sandbox: House
    ) -> dict[str, Fault]:
        """Set all knobs of a marketplace at once: knob → value or {value, calls, endpoint}."""
        market = sandbox.market(name)
        try:
            market.faults.replace(
                {
                    knob: given if isinstance(given, Fault) else Fault(value=float(given))
                    for knob, given in data.items()
                }
            )
        except ValueError as error:
            raise ClientException(str(error)) from error
        return market.faults.current()


def _check_units(units: int, *, least: int) -> None:
    if not least <= units <= UNITS_MAX:
        raise ClientException(f"a number must be from {least} to {UNITS_MAX}")
