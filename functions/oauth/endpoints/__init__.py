"""One file per endpoint: HTTP shape only."""
