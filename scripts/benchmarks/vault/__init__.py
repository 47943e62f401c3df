"""The token vault: what KMS is asked, what a seal costs, and a change of keys while people call."""
