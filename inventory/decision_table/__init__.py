"""The rows of `inventory.reasons`, by marketplace, with their words and their evidence."""
