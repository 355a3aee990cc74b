"""Databases on a running server: made as copies of another, and removed."""

from __future__ import annotations

from urllib.parse import urlsplit

import asyncpg


async def create_database(url: str, name: str, *, template: str = "template1") -> str:
    """Make a database on the server at `url` as a copy of `template`; gives its address.

    Nobody may be connected to the template meanwhile. Raises asyncpg's DuplicateDatabaseError and
    ObjectInUseError.
    """
    await _administer(url, f"CREATE DATABASE {_quoted(name)} TEMPLATE {_quoted(template)}")
    return urlsplit(url)._replace(path=f"/{name}").geturl()


async def drop_database(url: str, name: str) -> None:
    """Remove a database of the server at `url` if it is there, ending its sessions."""
    await _administer(url, f"DROP DATABASE IF EXISTS {_quoted(name)} WITH (FORCE)")


async def _administer(url: str, statement: str) -> None:
    connection = await asyncpg.connect(urlsplit(url)._replace(path="/postgres").geturl())
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
