"""Stories of a listing's number."""
