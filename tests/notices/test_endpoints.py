"""Endpoints: their secret, and how many there may be."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from inventory.db import Database
from inventory.errors import BadInput
from inventory.models import WebhookEndpoint
from inventory.outgoing.endpoint_keys import secret_of
from inventory.outgoing.endpoints import ENDPOINTS_MAX, add_endpoint
from inventory.security import Vault
from tests.notices.conftest import Endpoint


async def test_secret_is_shown_once_and_stored_sealed(
    database: Database, endpoint: Endpoint, vault: Vault
) -> None:
    (first, secret), (_, other) = await endpoint(), await endpoint()

    assert secret.startswith("whsec_")
    assert secret != other
    assert secret[6:].encode() not in first.secret
    assert secret_of(vault, first.secret) == secret


async def test_endpoints_have_limits(database: Database, vault: Vault) -> None:
    async with database.transaction() as session:
        session.add_all(
            [WebhookEndpoint(url="https://a.example/", secret=b"") for _ in range(ENDPOINTS_MAX)]
        )
        await session.flush()
        for url, events in (
            ("https://b.example/", ()),
            ("https://10.0.0.1/", ()),
            ("https://b.example/", ["a.b"] * 51),
        ):
            with pytest.raises(BadInput):
                await add_endpoint(session, vault, url=url, events=events, networks=[])
        assert await session.scalar(select(func.count(WebhookEndpoint.id))) == ENDPOINTS_MAX
