"""What a working deployment answers to outsiders; asked by canary, release check and smoke test."""
