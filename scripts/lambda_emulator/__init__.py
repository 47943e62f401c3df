"""A small Lambda: the Runtime API and Function URLs."""
