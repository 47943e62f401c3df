"""What functions write while they work: log lines and metrics; nothing of it may be a secret."""

import contextlib
import io
import json
import logging as std_logging
from collections.abc import Iterator
from typing import Any

from shared.observability import logging, metrics


class Told:
    """Everything on standard output since the last look."""

    def __init__(self, stream: io.StringIO) -> None:
        self._stream = stream

    def take(self) -> str:
        """Log lines and EMF lines since the last time."""
        metrics.flush()
        text = self._stream.getvalue()
        self._stream.seek(0)
        self._stream.truncate()
        return text


def lines_of(text: str) -> list[dict[str, Any]]:
    """Each line as the collector reads it; a line that is no JSON would be lost there."""
    return [json.loads(line) for line in text.splitlines()]


@contextlib.contextmanager
def listening() -> Iterator[Told]:
    """Logs and metrics as a deployed function writes them, kept in memory."""
    root = std_logging.getLogger()
    handlers, level = root.handlers, root.level
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        logging.configure(service="matrix", level="INFO", stage="local", release="r1")
        metrics.flush()
        metrics.configure(service="matrix", stage="local")
        told = Told(stream)
        told.take()
        try:
            yield told
        finally:
            metrics.flush()
            root.handlers, root.level = handlers, level
            logging.log.use(std_logging.getLogger("drupalize_mcp"))
