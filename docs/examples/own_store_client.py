# ruff: noqa: INP001 -- an example to be copied, not a package
"""A small client for an own store: tells orders, holds units, asks how many may be shown.

    HIKIATE_KEY=hk_… python own_store_client.py http://127.0.0.1:8000 store S-MUG-BLUE

Every write names itself, so it is repeated until it is answered: the second time changes nothing.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx

TRIES = 6
SERVER_ERROR, TOO_MANY, CONFLICT = 500, 429, 409


class Refused(Exception):
    """Hikiate refused a request; `code` is stable (docs: /schema/openapi.json)."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code


class OwnStore:
    """One channel of kind own_store. `pause` waits between tries, in seconds."""

    def __init__(
        self, url: str, key: str, channel: str, *, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._pause = pause
        self._http = httpx.Client(
            base_url=f"{url}/v1/channels/{quote(channel, safe='')}/",
            headers={"authorization": f"Bearer {key}"},
            timeout=10,
        )

    def tell_order(
        self,
        order_ref: str,
        lines: Sequence[dict[str, Any]],
        *,
        reservation_ref: str | None = None,
    ) -> dict[str, Any]:
        """An order was placed. `state` parked in the answer: stored, and a person must act."""
        body = {"event_id": f"{order_ref}:placed", "order_ref": order_ref, "lines": list(lines)}
        if reservation_ref is not None:
            body["reservation_ref"] = reservation_ref
        return self._send("POST", "orders", body)

    def tell_cancellation(
        self, order_ref: str, name: str, lines: Sequence[dict[str, Any]] = (), *, by: str = "buyer"
    ) -> dict[str, Any]:
        """Units of an order ended, or all of it. `name` tells this cancellation from others."""
        body = {"event_id": f"{order_ref}:{name}", "by": by, "lines": list(lines)}
        return self._send("POST", f"orders/{quote(order_ref, safe='')}/cancellations", body)

    def tell_shipment(
        self, order_ref: str, name: str, lines: Sequence[dict[str, Any]] = ()
    ) -> dict[str, Any]:
        """Units of an order left the house, or all that is open of it."""
        body = {"event_id": f"{order_ref}:{name}", "lines": list(lines)}
        return self._send("POST", f"orders/{quote(order_ref, safe='')}/shipments", body)

    def reserve(self, reservation_ref: str, lines: Sequence[dict[str, Any]]) -> bool:
        """Hold units for a basket, all or none; False when there are too few."""
        body = {"reservation_ref": reservation_ref, "lines": list(lines)}
        try:
            self._send("POST", "reservations", body)
        except Refused as refused:
            if refused.code != "insufficient_stock":
                raise
            return False
        return True

    def release(self, reservation_ref: str) -> None:
        """Give held units back; twice changes nothing."""
        self._send("POST", f"reservations/{quote(reservation_ref, safe='')}/release", None)

    def quantity(self, channel_sku: str) -> int:
        """How many units may be shown now."""
        answer = self._send("GET", f"availability?channel_sku={quote(channel_sku, safe='')}", None)
        return int(answer["quantity"])

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _send(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        for last in range(TRIES):
            if last:
                self._pause(2.0 ** (last - 1))
            try:
                answer = self._http.request(method, path, json=body)
            except httpx.TransportError:
                # Nobody knows whether it arrived; the same name makes it safe to ask again.
                continue
            if answer.status_code < SERVER_ERROR and answer.status_code != TOO_MANY:
                return _read(answer)
        raise ConnectionError(f"no answer to {method} {path} after {TRIES} tries")


def _read(answer: httpx.Response) -> dict[str, Any]:
    content: dict[str, Any] = answer.json()
    if answer.is_success:
        return content
    raise Refused(answer.status_code, content.get("code", ""), content.get("detail", ""))


def main(url: str, channel: str, channel_sku: str) -> None:
    """One basket from hold to shipment, with the number to show before and after."""
    store = OwnStore(url, os.environ["HIKIATE_KEY"], channel)
    order_ref = f"example-{uuid4().hex[:8]}"
    basket = [{"line_ref": "1", "channel_sku": channel_sku, "quantity": 1}]
    _say(f"may be shown: {store.quantity(channel_sku)}")
    if not store.reserve(f"basket-{order_ref}", basket):
        _say("sold out")
        return
    told = store.tell_order(order_ref, basket, reservation_ref=f"basket-{order_ref}")
    _say(f"order {order_ref} is {told['state']}")
    _say(f"may be shown: {store.quantity(channel_sku)}")
    store.tell_shipment(order_ref, "shipped")
    _say("shipped")
    store.close()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main(*sys.argv[1:4])
