"""The ledger against a plain model of it: drawn facts, faults, rivals, and the books."""
