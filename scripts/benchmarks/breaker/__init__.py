"""Circuit breakers on bad days: what reaches a site that hangs or fails, and who is back when."""
