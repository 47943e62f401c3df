"""The authorization server: signs people in and issues our tokens."""
