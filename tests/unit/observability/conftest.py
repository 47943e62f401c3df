import json
import logging as std_logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shared.observability import crash_reports, logging, metrics, tracing

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Lines]:
    """Configures logging and metrics as a function does; read JSON lines off standard output."""
    root = std_logging.getLogger()
    handlers, level = root.handlers, root.level
    logging.configure(service="unit", level="DEBUG", stage="local", release="r1")
    metrics.configure(service="unit", stage="local")
    capsys.readouterr()
    yield lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    metrics.flush()
    root.handlers, root.level = handlers, level
    logging.log.use(std_logging.getLogger("drupalize_mcp"))


@pytest.fixture(autouse=True)
def off_again() -> Iterator[None]:
    """Leaves crash reports and traces off, whatever a test turned on."""
    yield
    tracing.use(None)
    crash_reports.start(dsn=None, stage="local", release="r1")
    metrics.flush()
