"""The smallest marketplace, for tests of what all marketplaces share."""

from __future__ import annotations

from channels.sandbox.limits import Spacing
from channels.sandbox.market import Market, Services
from channels.sandbox.wire import Answer, Call, Refusal, Route


class Stall(Market):
    """The smallest marketplace: POST /sell/{key} with the wanted number as body."""

    kind = "stall"

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        spacing = Spacing("sell", seconds=1.0, tick=self.clock.tick())
        self.limits = [spacing]
        self.routes = [
            Route(
                method="POST",
                path="/sell/{key}",
                endpoint="sell",
                run=self.sell,
                limits=[spacing],
                body_max=10,
            )
        ]

    def sell(self, call: Call) -> Answer:
        """Write the number."""
        self.set_displayed(call.params["key"], int(call.body))
        return Answer(body=b'{"done":true}')

    def refuse(self, refusal: Refusal, endpoint: str) -> Answer:
        """The refusal's own name, with a status."""
        del endpoint
        status = {Refusal.THROTTLED: 429, Refusal.AUTH: 401, Refusal.UNAVAILABLE: 503}
        return Answer(status=status.get(refusal, 400), body=refusal.encode())

    def authorize(self, call: Call) -> Answer | None:
        """Everybody who says please."""
        return None if call.headers.get("please") == "1" else Answer(status=401, body=b"who?")
