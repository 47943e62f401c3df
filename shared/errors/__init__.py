"""Exceptions, the error catalogue, and its translation into what each protocol sends."""
