"""The REST API: one file per resource, thin controllers; what may be done is decided elsewhere."""
