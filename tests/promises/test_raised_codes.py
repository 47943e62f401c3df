"""What counts as a raised code: an exception of the project that its own code has made."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from shared.errors.catalogue import ErrorCode
from shared.upstream.failures import SearchUnavailableError, UpstreamTimeoutError
from shared.upstream.watching import as_outage
from tests.support.raised_codes import RaisedCodes, missing


@pytest.fixture
def watching(pytestconfig: pytest.Config) -> Iterator[RaisedCodes]:
    watching = RaisedCodes(pytestconfig)
    yield watching
    watching.pytest_unconfigure()


def taken(watching: RaisedCodes) -> list[str]:
    """What a worker would hand over."""
    worker = SimpleNamespace(config=SimpleNamespace(workeroutput={}))
    watching._config = worker.config
    watching.pytest_sessionfinish(worker)  # type: ignore[arg-type] # likewise
    return list(worker.config.workeroutput["raised_codes"])


def test_an_exception_that_a_test_makes_is_none(watching: RaisedCodes) -> None:
    UpstreamTimeoutError()

    assert taken(watching) == []


def test_one_that_our_code_makes_is_one_however_deep_its_initialiser(
    watching: RaisedCodes,
) -> None:
    as_outage(SearchUnavailableError())

    assert taken(watching) == ["search_unavailable"]


def test_what_the_workers_have_seen_adds_up_against_the_catalogue(watching: RaisedCodes) -> None:
    every = [code.value for code in ErrorCode]
    for codes in (every[:20], every[20:-1]):
        watching.pytest_testnodedown(SimpleNamespace(workeroutput={"raised_codes": codes}))
    watching.pytest_testnodedown(SimpleNamespace())

    assert missing(taken(watching)) == [every[-1]]
    assert missing(every) == []
