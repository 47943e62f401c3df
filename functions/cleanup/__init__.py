"""The schedule that applies retention."""
