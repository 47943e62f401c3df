"""Postgres: connection, transactions, migrations and one module of statements per table."""
