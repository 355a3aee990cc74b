"""How the ledger books a batch of facts: read under locks, decided in memory, written at once."""
