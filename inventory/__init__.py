"""What stock is and what may happen to it."""
