"""The REST API over HTTP, on a real database."""
