"""Environments that wake up from a snapshot."""
