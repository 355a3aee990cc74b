"""Stories of the one door to stock."""
