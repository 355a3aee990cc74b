"""Bringing a database to the newest schema, and telling whether it is there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from inventory.db import sqlalchemy_url
from inventory.models import Base

if TYPE_CHECKING:
    from sqlalchemy import Connection

MIGRATION_LOCK = 0x48494B49  # any number, the same in every process


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


async def migrate(database_url: str) -> str:
    """Run what is missing, one process at a time; the revision that the database is at now."""
    engine = create_async_engine(sqlalchemy_url(database_url))
    try:
        async with engine.connect() as connection:
            lock = {"key": MIGRATION_LOCK}
            await connection.execute(text("SELECT pg_advisory_lock(:key)"), lock)
            await connection.commit()
            await connection.run_sync(_upgrade)
            await connection.commit()
            await connection.execute(text("SELECT pg_advisory_unlock(:key)"), lock)
            revision = await connection.run_sync(_current)
    finally:
        await engine.dispose()
    return revision or ""


async def is_current(database_url: str) -> bool:
    """Whether the database is at the newest revision."""
    engine = create_async_engine(sqlalchemy_url(database_url))
    try:
        async with engine.connect() as connection:
            found = await connection.run_sync(_current)
    finally:
        await engine.dispose()
    return found == ScriptDirectory.from_config(_config()).get_current_head()


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def differences(connection: Connection) -> list[str]:
    """What the tables of the database lack or have beyond the models; empty when they agree.

    Partitions of `movement` are made by month and are not in the models.
    """
    context = MigrationContext.configure(
        connection,
        opts={
            "compare_type": True,
            "include_object": lambda _o, name, _t, _r, _c: not str(name).startswith("movement_"),
        },
    )
    return [str(change) for change in compare_metadata(context, Base.metadata)]
