"""Reads for people and programs: stock, channels, the desk, drift, messages, the warehouse."""
