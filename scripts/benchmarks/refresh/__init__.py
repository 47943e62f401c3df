"""Refreshes of upstream pairs: what they cost, and who loses an account on a bad day."""
