"""The ledger measured: its own way beside the limit of PostgreSQL and beside ordinary ways."""
