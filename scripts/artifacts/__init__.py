"""The built artifacts on this machine: made when needed, tried without the checkout."""
