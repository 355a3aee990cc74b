"""Commands that run the house, or one part of it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

QUEUES = ("intake", "publish")
THREADS = 16
# Clients and proxies keep idle connections for up to a minute; who closes first must be the client.
KEEP_ALIVE_SECONDS = 75
DATA_DIR = Path(".hikiate")
ENVIRONMENT_FILE = "environment.json"
SERVERS = ("DATABASE_URL", "REDIS_URL", "HIKIATE_SECRET_KEY")
PREFIX = "HIKIATE_"


def up(
    port: Annotated[
        int, typer.Option(help="Port of the API.", min=1, max=65535, envvar="HIKIATE_API_PORT")
    ] = 8000,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where embedded servers keep their data.")
    ] = None,
) -> None:
    """Run the whole house for real shops: database, Valkey, API, workers, beat.

    With DATABASE_URL or REDIS_URL set, those servers are used instead of embedded ones.
    """
    from inventory import stack
    from inventory.processes import ProcessError, Supervisor

    folder = (data_dir or Path(os.environ.get("HIKIATE_DATA_DIR", DATA_DIR))).resolve()
    try:
        with Supervisor(folder / "logs") as supervisor:
            house = stack.start(supervisor, folder, port=port)
            write_environment(folder, house.environment)
            typer.echo(f"API {house.api_url}/v1 (ready after {house.started_seconds:.1f} s)")
            typer.echo(f"health {house.api_url}/health/ready, logs {supervisor.logs}")
            typer.echo("Ctrl-C ends it")
            try:
                supervisor.watch()
            finally:
                (folder / ENVIRONMENT_FILE).unlink(missing_ok=True)
    except ProcessError as error:
        typer.echo(f"hikiate: {error}", err=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        typer.echo("ended")


def write_environment(folder: Path, environment: dict[str, str]) -> None:
    """Leave the house's settings for commands that are given beside it, as `hikiate status`."""
    kept = {
        name: value
        for name, value in environment.items()
        if value and (name in SERVERS or name.startswith(PREFIX))
    }
    path = folder / ENVIRONMENT_FILE
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(kept, file)


def settings_here() -> Any:
    """Settings of the environment, else of the house that `hikiate up` runs here."""
    from inventory import config
    from inventory.errors import WrongState

    environment = dict(os.environ)
    path = Path(environment.get("HIKIATE_DATA_DIR", DATA_DIR)) / ENVIRONMENT_FILE
    if "DATABASE_URL" not in environment and path.exists():
        stored = json.loads(path.read_text())
        # Servers and key are the house's own; any other setting may be named anew.
        environment = stored | environment | {name: stored[name] for name in SERVERS}
    if "DATABASE_URL" not in environment:
        raise WrongState(
            "no house runs in this folder: start one with `hikiate up`, or set DATABASE_URL"
        )
    return config.load(environment)


def migrate() -> None:
    """Bring the database (DATABASE_URL) to the newest schema."""
    from inventory import schema

    revision = asyncio.run(schema.migrate(settings_here().database_url))
    typer.echo(f"the schema is at revision {revision}")


def api(
    host: Annotated[
        str, typer.Option(help="Address to listen on.", envvar="HIKIATE_API_HOST")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="Port to listen on.", min=1, max=65535, envvar="HIKIATE_API_PORT")
    ] = 8000,
) -> None:
    """Serve the REST API."""
    import uvicorn

    settings_here()
    _must_be_free(host, port)
    uvicorn.run(
        "inventory.app:serve",
        factory=True,
        host=host,
        port=port,
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )


def _must_be_free(host: str, port: int) -> None:
    from inventory import stack
    from inventory.processes import ProcessError

    try:
        stack.must_be_free(host, port)
    except ProcessError as error:
        typer.echo(f"hikiate: {error}", err=True)
        raise typer.Exit(1) from error


def worker(
    queue: Annotated[str, typer.Option(help="intake or publish.")],
    threads: Annotated[int, typer.Option(help="Tasks at once.", min=1, max=64)] = THREADS,
) -> None:
    """Run a worker of one queue."""
    if queue not in QUEUES:
        raise typer.BadParameter(f"queue must be one of {', '.join(QUEUES)}")
    settings_here()
    _celery(
        *("worker", "--queues", queue, "--hostname", f"{queue}@%h", "--pool", "threads"),
        *("--concurrency", str(threads), "--loglevel", "WARNING"),
        *("--without-gossip", "--without-mingle"),
    )


def beat() -> None:
    """Run the clock that rings for regular work; one per house."""
    folder = settings_here().data_dir
    folder.mkdir(parents=True, exist_ok=True)
    _celery("beat", "--loglevel", "WARNING", "--schedule", str(folder / "beat"), "--pidfile", "")


def _celery(*arguments: str) -> None:
    os.execv(sys.executable, [sys.executable, "-m", "celery", "--app", "workers.app", *arguments])


def sandbox(
    port: Annotated[int, typer.Option(help="Port, 0 for a free one.", min=0, max=65535)] = 0,
    seed: Annotated[int, typer.Option(help="Seed of shoppers and faults.")] = 1,
) -> None:
    """Run the sandbox alone: four marketplaces and an EC-CUBE store."""
    _must_be_free("127.0.0.1", port)
    command = ["-m", "channels.sandbox", "--port", str(port), "--seed", str(seed)]
    os.execv(sys.executable, [sys.executable, *command])
