"""What stock is and what may happen to it."""

VERSION = "0.1.0"
