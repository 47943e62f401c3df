"""The audit trail for operators: verified, searched, exported; nothing here writes to it."""
