"""The penalty record: entries, standings, the report and its forms, the dry run."""
