"""The MCP endpoint without metrics and without the lines of spans: what observing is compared to.

There is no setting for this: nobody should run a function that nobody sees.
"""

from functions.mcp_endpoint.handler import handler
from shared.observability import tracing
from shared.observability.sample_buffer import SampleBuffer

__all__ = ["handler"]


def _nothing(*_given: object, **_named: object) -> None:
    """Stands in for what is left out."""


SampleBuffer.add = _nothing  # type: ignore[method-assign] # taken out on purpose
SampleBuffer.flush = _nothing  # type: ignore[method-assign] # as above
tracing._tell = _nothing  # noqa: SLF001 - as above
