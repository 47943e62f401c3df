"""Tries a new version before it gets traffic, and tells the deployment whether to go on."""
