"""Yahoo!'s store APIs on the wire: tokens, the proof by public key, forms and XML."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from xml.etree.ElementTree import Element

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric import padding
from msgspec import Struct

from channels.base import AuthExpired, BadAnswer
from channels.http import ChannelHttp
from channels.spacing import Spacing
from channels.tokens import Token, TokenCache
from channels.yahoo import xml
from channels.yahoo.mapping import INFO_FIELDS, JST, LIST_FIELDS, STAMP, Listed, MalformedOrder
from channels.yahoo.mapping import listed_from as _listed_from
from channels.yahoo.settings import (
    GET_STOCK,
    ORDER_INFO,
    ORDER_LIST,
    SET_STOCK,
    SPACING_SECONDS,
    STATUS_CHANGE,
    TOKEN,
    YahooCredentials,
    YahooSettings,
)

V1 = "/ShoppingWebService/V1"
PAGE_ORDERS = 100
TOKEN_EARLY_SECONDS = 300.0
DAY_WAIT_SECONDS_MAX = 10.0
BEARER_SECONDS_MAX = 86_400.0


class TokenAnswer(Struct):
    """What YConnect v2 answers; a refresh token is there only now and then."""

    access_token: str
    expires_in: float = 3600.0
    refresh_token: str | None = None


class Page(Struct, frozen=True):
    """A page of orderList. `problems`: (order_ref, what is wrong) of rows that cannot be read."""

    rows: list[Listed]
    total: int
    problems: list[tuple[str, str]]


class StockRow(Struct, frozen=True):
    """A row of setStock or getStock. `quantity` is None where there is no number."""

    quantity: int | None
    closed: bool = False
    code: str = ""


class YahooClient:
    """One store's calls. Methods raise the errors of `channels.base`."""

    def __init__(
        self,
        http: ChannelHttp,
        auth_http: ChannelHttp,
        settings: YahooSettings,
        credentials: YahooCredentials,
    ) -> None:
        self._http = http
        self._auth_http = auth_http
        self._settings = settings
        self._credentials = credentials
        self._public_key = credentials.public_key()
        self._refresh_token = credentials.refresh_token
        self._tokens = TokenCache(self._fetch_token, early_seconds=TOKEN_EARLY_SECONDS)
        self._spacing = Spacing(seconds=SPACING_SECONDS)

    async def set_stock(self, numbers: Mapping[str, int]) -> dict[str, StockRow]:
        """Write up to 1000 numbers absolutely; a row by code for all that the answer names.

        A single number that is refused is an error of the whole call (Rejected).
        """
        form = {
            "seller_id": self._settings.seller_id,
            "item_code": ",".join(numbers),
            "quantity": ",".join(str(number) for number in numbers.values()),
        }
        if self._settings.allow_overdraft is not None:
            flag = str(int(self._settings.allow_overdraft))
            form["allow_overdraft"] = ",".join([flag] * len(numbers))
        response = await self._call("setStock", SET_STOCK, writes=True, data=form)
        return _stock_rows(xml.answer(response, name="setStock", writes=True))

    async def get_stock(self, codes: Sequence[str]) -> dict[str, StockRow]:
        """Read up to 999 numbers; codes without a stock row have no quantity."""
        form = {"seller_id": self._settings.seller_id, "item_code": ",".join(codes)}
        response = await self._call("getStock", GET_STOCK, data=form)
        return _stock_rows(xml.answer(response, name="getStock"))

    async def list_orders(self, begin: datetime, end: datetime, *, start: int) -> Page:
        """100 orders placed in a window of whole seconds, oldest first, from position `start`."""
        condition = {"OrderTimeFrom": _stamp(begin), "OrderTimeTo": _stamp(end)}
        return await self._list(condition, start=start)

    async def has_order(self, order_ref: str) -> bool:
        """Whether the store has such an order."""
        return (await self._list({"OrderId": order_ref}, start=1)).total > 0

    async def order_info(self, order_ref: str) -> Element:
        """One order's OrderInfo. Raises Rejected when Yahoo! refuses (no such order included)."""
        target = {"OrderId": order_ref, "Field": INFO_FIELDS}
        root = await self._order("orderInfo", ORDER_INFO, {"Target": target})
        info = root.find("Result/OrderInfo")
        if info is None:
            raise BadAnswer("orderInfo: an answer without OrderInfo")
        return info

    async def cancel(self, order_ref: str, *, reason: str) -> None:
        """OrderStatus 4 for a whole order; it cannot be taken back."""
        words: xml.Words = {
            "Target": {"OrderId": order_ref, "IsPointFix": "false"},
            "Order": {"OrderStatus": "4", "CancelReason": reason},
        }
        await self._order("orderStatusChange", STATUS_CHANGE, words, writes=True)

    async def _list(self, condition: Mapping[str, str], *, start: int) -> Page:
        search: xml.Words = {
            "Result": str(PAGE_ORDERS),
            "Start": str(start),
            "Sort": "+order_time",
            "Condition": condition,
            "Field": LIST_FIELDS,
        }
        root = await self._order("orderList", ORDER_LIST, {"Search": search})
        rows, problems = [], []
        for row in root.iter("OrderInfo"):
            try:
                rows.append(_listed_from(row))
            except MalformedOrder as malformed:
                problems.append((row.findtext("OrderId") or "", str(malformed)))
        total = root.findtext("Search/TotalCount") or ""
        if not total.isdecimal():
            raise BadAnswer("orderList: an answer without TotalCount")
        return Page(rows, int(total), problems)

    async def _order(
        self, name: str, endpoint: str, words: xml.Words, *, writes: bool = False
    ) -> Element:
        body = xml.request({**words, "SellerId": self._settings.seller_id})
        response = await self._call(name, endpoint, writes=writes, proof=True, content=body)
        root = xml.answer(response, name=name, writes=writes)
        # A failing proof is answered with 200 all the same, for twelve hours; then nothing works.
        status = response.headers.get("x-sws-authorize-status", "")
        if status.strip().lower() != "authorized" and not writes:
            raise AuthExpired(f"{name}: the proof by public key is not accepted")
        return root

    async def _call(
        self,
        name: str,
        endpoint: str,
        *,
        writes: bool = False,
        proof: bool = False,
        **body: Any,
    ) -> httpx.Response:
        token = await self._tokens.get()
        try:
            return await self._send(name, endpoint, token, writes=writes, proof=proof, **body)
        except AuthExpired:
            # The token may just have ended before its time; a new one settles that.
            self._tokens.forget(token)
            token = await self._tokens.get()
        return await self._send(name, endpoint, token, writes=writes, proof=proof, **body)

    async def _send(
        self,
        name: str,
        endpoint: str,
        token: str,
        *,
        writes: bool,
        proof: bool,
        **body: Any,
    ) -> httpx.Response:
        await self._http.budgets.take(
            f"{endpoint}.day", longest_wait_seconds=DAY_WAIT_SECONDS_MAX, day=""
        )
        async with self._spacing.turn(endpoint):
            headers = {"Authorization": f"Bearer {token}"}
            if "content" in body:
                headers["Content-Type"] = "application/xml; charset=UTF-8"
            if proof:
                headers |= self._proof()
            return await self._http.send(
                "POST", f"{V1}/{name}", endpoint=endpoint, writes=writes, headers=headers, **body
            )

    def _proof(self) -> dict[str, str]:
        # Named a signature, it is `seller:unix time` sealed by the store's public key (RSA
        # PKCS#1 v1.5), anew for every call. How old it may be is UNCONFIRMED.
        text = f"{self._settings.seller_id}:{int(time.time())}"
        sealed = self._public_key.encrypt(text.encode(), padding.PKCS1v15())
        return {
            "X-sws-signature": base64.b64encode(sealed).decode(),
            "X-sws-signature-version": self._credentials.public_key_version,
        }

    async def _fetch_token(self) -> Token:
        credentials = self._credentials
        pair = f"{credentials.client_id}:{credentials.client_secret}".encode()
        response = await self._auth_http.send(
            "POST",
            "/yconnect/v2/token",
            endpoint=TOKEN,
            headers={"Authorization": "Basic " + base64.b64encode(pair).decode()},
            data={"grant_type": "refresh_token", "refresh_token": self._refresh_token},
        )
        if not response.is_success:
            raise AuthExpired(f"token: {response.status_code}, the store must consent anew")
        try:
            answer = msgspec.json.decode(response.content, type=TokenAnswer, strict=False)
        except msgspec.DecodeError as error:
            raise BadAnswer("token: unreadable answer") from error
        # Sometimes the answer brings a new refresh token; it holds until this process ends.
        self._refresh_token = answer.refresh_token or self._refresh_token
        lasts_seconds = min(max(answer.expires_in, 0.0), BEARER_SECONDS_MAX)
        return Token(text=answer.access_token, lasts_seconds=lasts_seconds)

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.aclose()
        await self._auth_http.aclose()


def _stock_rows(root: Element) -> dict[str, StockRow]:
    rows = {}
    for row in root.iter("Result"):
        item, sub = row.findtext("ItemCode") or "", row.findtext("SubCode") or ""
        quantity = (row.findtext("Quantity") or "").strip()
        known = row.findtext("Status") != "0" and quantity.lstrip("-").isdecimal()
        rows[f"{item}:{sub}" if sub else item] = StockRow(
            quantity=int(quantity) if known else None,
            closed=row.findtext("StockClose") == "1",
            code=(row.findtext("ErrorCode") or "").strip(),
        )
    return rows


def _stamp(moment: datetime) -> str:
    return moment.astimezone(JST).strftime(STAMP)
