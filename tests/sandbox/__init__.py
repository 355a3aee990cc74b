"""The sandbox marketplaces: their wire formats, limits, faults and shoppers."""
