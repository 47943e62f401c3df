"""A state machine over the whole authorization server: whatever is done, in whatever order."""
