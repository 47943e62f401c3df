"""What the local stack shows of itself."""
