"""The report of usage: what people look for and read, who comes back, and what it takes."""
