"""The oversell desk: its table, its metrics, and its stories on a real database."""
