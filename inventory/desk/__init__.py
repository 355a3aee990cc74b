"""The oversell desk's parts: what a case needs, what an order costs, what is sent and drafted."""
