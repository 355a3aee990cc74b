"""The shop of the stories."""

from __future__ import annotations

import pytest

from inventory.db import Database
from inventory.ledger import Ledger
from inventory.listings import Margins
from tests.conftest import HandClock, Save
from tests.publishing.arcade import Arcade
from tests.publishing.shop import Shop


@pytest.fixture
def shop(database: Database, ledger: Ledger, clock: HandClock, margins: Margins) -> Shop:
    """A shop that is not open yet."""
    return Shop(database, ledger, clock, margins)


@pytest.fixture
def arcade(
    database: Database, ledger: Ledger, clock: HandClock, margins: Margins, save: Save
) -> Arcade:
    """Shops that are still to be opened."""
    return Arcade(database, ledger, clock, margins, save)
