"""What happened, and proof that the books agree."""
