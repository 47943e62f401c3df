"""Brings the database to the schema of the release, before its code gets traffic and after."""
