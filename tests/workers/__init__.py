"""Workers against real sandbox marketplaces, PostgreSQL and Valkey."""
