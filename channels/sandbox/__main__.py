"""`python -m channels.sandbox --port P`: serve the marketplaces until a signal ends it."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import socket
import sys

import uvicorn

from channels.sandbox.server import create_app

# A server that closes an idle connection sooner than its clients do cuts calls that just left.
KEEP_ALIVE_SECONDS = 75


class Server(uvicorn.Server):
    """Says where it serves, once it does."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then print the one line that whoever started us waits for."""
        await super().startup(sockets)
        if self.started and sockets:
            host, port = sockets[0].getsockname()[:2]
            sys.stdout.write(f"sandbox ready http://{host}:{port}\n")
            sys.stdout.flush()


def _is_news(record: logging.LogRecord) -> bool:
    # A connection broken off on purpose (a fault) is not an error of the server.
    return "without completing response" not in record.getMessage()


def main() -> None:
    """Parse the arguments and serve; port 0 takes a free one."""
    parser = argparse.ArgumentParser(prog="python -m channels.sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port, 0 for a free one")
    parser.add_argument("--seed", type=int, default=1, help="seed of faults and shoppers' dice")
    parser.add_argument(
        "--options",
        type=json.loads,
        default={},
        help='options by marketplace as JSON, like {"rakuten": {"bulk_atomic": false}}',
    )
    arguments = parser.parse_args()
    listening = socket.create_server((arguments.host, arguments.port))
    config = uvicorn.Config(
        create_app(seed=arguments.seed, options=arguments.options),
        log_level="warning",
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    # Ctrl-C is how a person ends it.
    with listening, contextlib.suppress(KeyboardInterrupt):
        asyncio.run(Server(config).serve(sockets=[listening]))


if __name__ == "__main__":
    main()
