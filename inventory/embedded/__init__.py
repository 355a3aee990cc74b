"""Real PostgreSQL and Valkey out of wheels, started in a data folder for one command."""

from inventory.embedded.databases import create_database, drop_database
from inventory.embedded.postgres import start_postgres
from inventory.embedded.server import Server
from inventory.embedded.valkey import start_valkey

__all__ = ["Server", "create_database", "drop_database", "start_postgres", "start_valkey"]
