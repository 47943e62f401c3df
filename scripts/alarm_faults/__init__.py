"""Plants the fault that each alarm is for in a local stack, and sees the alarm go off."""
