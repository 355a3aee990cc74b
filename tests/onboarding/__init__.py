"""Connecting real shops."""
