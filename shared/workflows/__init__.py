"""Steps that two doors share."""
