"""The house into which files go."""

from __future__ import annotations

import pytest

from inventory.db import Database
from inventory.inbox import Inbox
from inventory.ledger import Ledger
from tests.conftest import Save
from tests.exchange.desk import Desk
from tests.factories import ChannelFactory, SkuFactory


@pytest.fixture
async def house(database: Database, ledger: Ledger, inbox: Inbox, save: Save) -> Desk:
    """A house with three SKUs and a shop that lists nothing."""
    shop = ChannelFactory.build(code="shop")
    await save(shop, *(SkuFactory.build(code=code) for code in ("MUG", "PEN", "TEE")))
    return Desk(database, ledger, inbox, shop)
