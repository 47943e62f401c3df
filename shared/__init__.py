"""The rooms that the functions share; see docs/map.md."""
