"""Every code of the catalogue is raised by our own code while the tests run: seen, not listed.

Counts exceptions of the project that are made in ``functions`` or ``shared``, so neither a list of
names nor an exception that a test makes itself is enough. What runs in a process of its own is not
seen.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pytest

from shared.errors.base import ServiceError
from shared.errors.catalogue import ErrorCode

_ROOT: Final = Path(__file__).parents[2]
_OURS: Final = tuple(f"{_ROOT / package}/" for package in ("functions", "shared"))
_KEY: Final = "raised_codes"


def _made_by(error: ServiceError) -> str:
    """The file whose code has made ``error``, behind the initialisers of its classes."""
    frame = sys._getframe(2)
    while frame.f_code.co_name == "__init__" and frame.f_locals.get("self") is error:
        if frame.f_back is None:
            break
        frame = frame.f_back
    return frame.f_code.co_filename


class RaisedCodes:
    """A plugin: watches one process, and where the whole suite was run says what it has missed."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._seen: set[str] = set()
        self._missing: list[str] = []
        initialise = ServiceError.__init__

        def watched(error: ServiceError, *arguments: Any, **named: Any) -> None:
            initialise(error, *arguments, **named)
            if error.code.value not in self._seen and _made_by(error).startswith(_OURS):
                self._seen.add(error.code.value)

        self._initialise = initialise
        setattr(ServiceError, "__init__", watched)  # noqa: B010 - the type checker minds the other

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker of xdist has seen."""
        self._seen.update(getattr(node, "workeroutput", {}).get(_KEY, ()))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a whole run that never raised a code."""
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output[_KEY] = sorted(self._seen)
        elif _is_whole(self._config) and not session.testsfailed:
            self._missing = missing(self._seen)
            if self._missing:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name what was missed."""
        if self._missing:
            names = ", ".join(self._missing)
            terminalreporter.write_sep("=", "error codes that no test raises for real", red=True)
            terminalreporter.write_line(names)

    def pytest_unconfigure(self) -> None:
        """Leave the class as it was."""
        setattr(ServiceError, "__init__", self._initialise)  # noqa: B010 - as above


def missing(seen: Iterable[str]) -> list[str]:
    """Codes of the catalogue that are not among ``seen``."""
    return sorted({code.value for code in ErrorCode} - set(seen))


def _is_whole(config: pytest.Config) -> bool:
    """Whether everything is run; in all other runs much is rightly missing."""
    option = config.option
    chosen = (option.keyword, option.ignore, option.ignore_glob, option.deselect, option.maxfail)
    return config.args_source is pytest.Config.ArgsSource.TESTPATHS and not any(chosen)
