"""The bench: its streams, its books, each way it measures, its report."""
