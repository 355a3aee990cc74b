"""The sandbox behind a real socket, and a hand on its control routes."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Mapping
from typing import Any

import httpx
import uvicorn

from channels.sandbox.__main__ import KEEP_ALIVE_SECONDS
from channels.sandbox.server import create_app

START_SECONDS_MAX = 20.0


class SandboxProcess:
    """The sandbox on a free port, with a server and an event loop of its own.

    It runs in a thread: a process for every test would spend most of its life importing.
    `options` go to the marketplaces by kind.
    """

    def __init__(self, options: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            create_app(options=options),
            log_level="critical",
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=asyncio.run, args=(self._server.serve(sockets=[self._socket]),)
        )
        self._thread.start()
        self._http = httpx.Client(base_url=self.url, timeout=30)
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError("the sandbox did not start")
            time.sleep(0.005)

    def stop(self) -> None:
        """End the server."""
        self._http.close()
        self._server.should_exit = True
        self._thread.join(timeout=START_SECONDS_MAX)
        self._socket.close()

    def access(self, kind: str) -> dict[str, Any]:
        """`base_url`, `settings` and `credentials` of one marketplace."""
        access: dict[str, Any] = self._json("GET", "/_sandbox/credentials")[kind]
        return access

    def list_items(
        self, kind: str, quantities: Mapping[str, int], *, by_channel: bool = False
    ) -> None:
        """Put listings up: key → units displayed."""
        rows = [
            {"key": key, "quantity": quantity, "by_channel": by_channel}
            for key, quantity in quantities.items()
        ]
        self._json("POST", f"/_sandbox/{kind}/listings", rows)

    def buy(self, kind: str, lines: Mapping[str, int]) -> str:
        """A shopper buys; returns the order's reference."""
        wanted = [{"key": key, "quantity": units} for key, units in lines.items()]
        order = self._json("POST", f"/_sandbox/{kind}/orders", {"lines": wanted})
        return str(order["ref"])

    def act(self, kind: str, ref: str, action: str) -> None:
        """`ship`, `buyer-cancel`, `ask-cancel` or `marketplace-cancel` an order."""
        self._json("POST", f"/_sandbox/{kind}/orders/{ref}/{action}")

    def hand_edit(self, kind: str, key: str, quantity: int) -> None:
        """Staff type a number on the marketplace's own screen."""
        self._json("POST", f"/_sandbox/{kind}/hand-edit", {"key": key, "quantity": quantity})

    def break_with(self, kind: str, **faults: Any) -> None:
        """Set all fault knobs of a marketplace; none given puts everything right."""
        self._json("PUT", f"/_sandbox/{kind}/faults", faults)

    def move_clock(self, seconds: float) -> None:
        """Set the sandbox's time of day ahead of the machine's."""
        self._json("POST", "/_sandbox/clock", {"offset_seconds": seconds})

    def books(self, kind: str) -> dict[str, Any]:
        """Everything that one marketplace knows."""
        books: dict[str, Any] = self._json("GET", "/_sandbox/books")["markets"][kind]
        return books

    def displayed(self, kind: str) -> dict[str, int]:
        """Key → units displayed now."""
        return {row["key"]: row["displayed"] for row in self.books(kind)["listings"]}

    def order(self, kind: str, ref: str) -> dict[str, Any]:
        """One order of the books."""
        orders: list[dict[str, Any]] = self.books(kind)["orders"]
        [order] = [order for order in orders if order["ref"] == ref]
        return order

    def _json(self, method: str, path: str, body: Any = None) -> Any:
        response = self._http.request(method, path, json=body)
        response.raise_for_status()
        return response.json()
