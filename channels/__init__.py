"""How each marketplace talks."""
