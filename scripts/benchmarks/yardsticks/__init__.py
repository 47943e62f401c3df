"""What the functions are compared to: an empty function, and a server of the bare SDK."""
