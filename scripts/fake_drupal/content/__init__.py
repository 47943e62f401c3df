"""What there is to learn on the fake site, and how it is found."""
