"""An endpoint that does nothing, in the real application: the same key, JSON and answer."""

from __future__ import annotations

import sys

import uvicorn
from litestar import Litestar, Response, Router, post
from litestar.di import Provide
from litestar.params import JSONBody

from inventory.api.context import KeyAuthentication, Services, caller_from, needs
from inventory.api.paging import PathText
from inventory.api.reservations import NewReservation, ReservationAnswer
from inventory.app import create_app
from inventory.bench.servers import NULL
from inventory.commands.house import KEEP_ALIVE_SECONDS
from inventory.facts import Status
from inventory.security import Scope


@post("/channels/{channel:str}/reservations", guards=[needs(Scope.ORDERS_WRITE)])
async def grant_nothing(
    channel: PathText, data: JSONBody[NewReservation], services: Services
) -> Response[ReservationAnswer]:
    """Answer as the real door does; nothing is looked up and nothing is held."""
    del channel, services
    answer = ReservationAnswer(
        reservation_ref=data.reservation_ref, status=Status.GRANTED, repeated=False
    )
    return Response(answer, status_code=201)


def with_null(app: Litestar) -> Litestar:
    """An application with the null endpoint beside its own."""
    app.register(
        Router(
            path=NULL,
            route_handlers=[grant_nothing],
            middleware=[KeyAuthentication],
            dependencies={"caller": Provide(caller_from, sync_to_thread=False)},
        )
    )
    return app


def create_null_app() -> Litestar:
    """The real application with the null endpoint; settings come from the environment."""
    return with_null(create_app())


def main(port: int) -> None:
    """Serve it as `hikiate api` serves the real one."""
    uvicorn.run(
        "inventory.bench.null:create_null_app",
        factory=True,
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
