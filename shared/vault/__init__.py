"""Seals upstream tokens and checks clients' signatures; the only room with cryptography and KMS."""
