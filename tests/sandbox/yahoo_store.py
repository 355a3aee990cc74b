"""A store of the sandbox's Yahoo! Shopping, called in this process."""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from xml.etree import ElementTree as ET

import defusedxml.ElementTree
import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from channels.sandbox.market import Market
from channels.sandbox.server import create_app
from tests.sandbox.hand_clock import HandClock, client_of

MUG, TEE = "mug", "tee-001:m-blk"
V1 = "/ShoppingWebService/V1"


class Store:
    """One store's client; every call comes a second after the last, so that limits are kept."""

    def __init__(self, market: Market, clock: HandClock, http: httpx.AsyncClient) -> None:
        self.market, self.clock, self._http = market, clock, http
        self.seller_id = market.settings["seller_id"]
        self.key = dict(market.credentials)
        self.token = ""

    async def refresh(self, **changes: str) -> httpx.Response:
        """Get an access token; `changes` go into the form."""
        key = self.key
        form = {"grant_type": "refresh_token", "refresh_token": key["refresh_token"], **changes}
        answer = await self._http.post(
            "/yconnect/v2/token", data=form, auth=(key["client_id"], key["client_secret"])
        )
        if answer.status_code == httpx.codes.OK:
            self.token = answer.json()["access_token"]
        return answer

    def proof(self, text: str | None = None) -> dict[str, str]:
        """The headers of the proof by public key; `text` replaces what is sealed."""
        pem = self.key["public_key_pem"].encode()
        key = serialization.load_pem_public_key(pem)
        assert isinstance(key, rsa.RSAPublicKey)
        said = f"{self.seller_id}:{int(time.time())}" if text is None else text
        sealed = key.encrypt(said.encode(), padding.PKCS1v15())
        signature = base64.b64encode(sealed).decode()
        return {"X-sws-signature": signature, "X-sws-signature-version": "1"}

    async def call(self, method: str, name: str, **sent: Any) -> httpx.Response:
        """Wait a second, then call a function."""
        self.clock.pass_seconds(1)
        headers = {"Authorization": f"Bearer {self.token}", **sent.pop("headers", {})}
        if "content" in sent:
            headers.setdefault("Content-Type", "application/xml; charset=UTF-8")
        return await self._http.request(method, f"{V1}/{name}", headers=headers, **sent)

    async def stock(self, name: str, **form: str) -> httpx.Response:
        """A stock function; seller_id is added."""
        return await self.call("POST", name, data={"seller_id": self.seller_id, **form})

    async def order(self, name: str, inner: str, **sent: Any) -> httpx.Response:
        """An order function; `inner` is the XML between Req and SellerId."""
        body = f"<Req>{inner}<SellerId>{self.seller_id}</SellerId></Req>"
        headers = sent.pop("headers", self.proof())
        return await self.call("POST", name, content=body, headers=headers, **sent)

    async def change(self, ref: str, *lines: tuple[str, int]) -> httpx.Response:
        """Set the units of (LineId, units) lines by orderChange."""
        items = "".join(
            f"<Item><LineId>{line}</LineId><Quantity>{units}</Quantity></Item>"
            for line, units in lines
        )
        return await self.order(
            "orderChange", f"<Target><OrderId>{ref}</OrderId></Target><Order>{items}</Order>"
        )

    async def info(self, ref: str, fields: str) -> ET.Element:
        """One order's OrderInfo."""
        target = f"<Target><OrderId>{ref}</OrderId><Field>{fields}</Field></Target>"
        info = tree(await self.order("orderInfo", target)).find("Result/OrderInfo")
        assert info is not None
        return info

    async def cancel(self, ref: str, *, status: str = "4", reason: str = "210") -> httpx.Response:
        """Move an order by orderStatusChange."""
        given = f"<CancelReason>{reason}</CancelReason>" if reason else ""
        return await self.order(
            "orderStatusChange",
            f"<Target><OrderId>{ref}</OrderId><IsPointFix>false</IsPointFix></Target>"
            f"<Order><OrderStatus>{status}</OrderStatus>{given}</Order>",
        )

    @property
    def shown(self) -> dict[str, int]:
        """Key → units displayed."""
        return {key: listing.displayed for key, listing in self.market.listings.items()}


def tree(answer: httpx.Response) -> ET.Element:
    """The answer's XML."""
    root: ET.Element = defusedxml.ElementTree.fromstring(answer.content)
    return root


def rows(answer: httpx.Response) -> list[Mapping[str, str | None]]:
    """The Result rows of a stock answer."""
    return [{child.tag: child.text for child in row} for row in tree(answer).iter("Result")]


def code(answer: httpx.Response) -> tuple[int, str | None]:
    """Status and error code."""
    return answer.status_code, tree(answer).findtext("Code")


@asynccontextmanager
async def open_store(**options: Any) -> AsyncIterator[Store]:
    """A store with two listings, 5 mugs and 3 tees; `options` go to the marketplace."""
    clock = HandClock()
    app = create_app(clock=clock, options={"yahoo": options})
    market: Market = app.state.sandbox.markets["yahoo"]
    market.list_item(MUG, 5, price=1200)
    market.list_item(TEE, 3)
    async with client_of(app, "/yahoo") as http:
        store = Store(market, clock, http)
        await store.refresh()
        yield store
