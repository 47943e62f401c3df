"""Made-up requests to both doors of a fresh stack, and a judge of the answers."""
