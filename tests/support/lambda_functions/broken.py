"""A function whose module cannot be imported."""

raise RuntimeError("cannot start")
