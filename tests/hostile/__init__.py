"""Marketplaces that misbehave: nothing is lost, doubled or given away, and all agree again."""
