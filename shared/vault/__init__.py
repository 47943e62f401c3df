"""Sealing and opening of upstream tokens; the only room that knows cryptography and KMS."""
