"""Frozen values and pure rules: no I/O, no clock (times come in as arguments)."""
