"""Response streaming for Python on Lambda, and the bridge from events to ASGI."""
