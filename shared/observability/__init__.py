"""Logs, metrics, spans and crash reports, with redaction before anything leaves."""
