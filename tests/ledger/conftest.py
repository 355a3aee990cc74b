"""The stock of the stories."""

from __future__ import annotations

import pytest

from inventory.ledger import Ledger
from tests.conftest import Save
from tests.factories import SkuFactory
from tests.ledger.told import received


@pytest.fixture
async def mug(save: Save, ledger: Ledger) -> str:
    """A SKU with eight units received."""
    await save(SkuFactory.build(code="MUG"), SkuFactory.build(code="TEE"))
    await ledger.apply([received("in-1", 8)])
    return "MUG"
