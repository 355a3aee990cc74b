"""Stories, properties and checks."""
