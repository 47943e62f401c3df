"""The doors: one package per deployed function; none knows another."""
