"""The exporter of spans by OTLP over HTTP; loaded only when OpenTelemetry is the provider.

Its packages are an extra (`requirements/opentelemetry.in`): no artifact carries them unless it was
built for them. Credentials of a tracing service are the collector's: it is asked beside the
function, without any.
"""

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import SpanExporter


def exporter(url: str, *, timeout_seconds: float) -> SpanExporter:
    """Sends to ``url``, the collector's whole address (``.../v1/traces``), tries included."""
    return OTLPSpanExporter(endpoint=url, timeout=timeout_seconds)
