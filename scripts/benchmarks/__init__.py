"""Measures cold starts and warm calls of the built functions, beside what they are compared to."""
